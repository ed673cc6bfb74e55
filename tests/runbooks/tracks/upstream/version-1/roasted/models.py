"""Short names for tracks, and who followed them."""

from django.contrib.postgres.indexes import GinIndex
from django.db import models


class Target(models.Model):
    """The index is for searching a part of the address."""

    name = models.SlugField()
    url = models.URLField()

    class Meta:
        indexes = [GinIndex(fields=["url"], name="roasted_target_url", opclasses=["gin_trgm_ops"])]


class RedirectHit(models.Model):
    """One visit."""

    target = models.ForeignKey(Target, on_delete=models.CASCADE)
    at = models.DateTimeField(auto_now_add=True)
