"""What the divers saw."""

from django.db import models


class Image(models.Model):
    """One image; the workers annotate it some time after the upload."""

    name = models.CharField(max_length=80)
    annotation = models.CharField(max_length=80, blank=True)
    confidence = models.PositiveSmallIntegerField(default=0)
    depth = models.FloatField(null=True)
