"""What the site keeps."""

from django.db import models


class BlogPost(models.Model):
    """A post."""

    title = models.CharField(max_length=80)
    slug = models.SlugField(default="")
