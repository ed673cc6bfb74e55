"""What the buoys saw."""

from django.db import models


class Observation(models.Model):
    """One animal or coral at one place."""

    place = models.CharField(max_length=80)
    species = models.CharField(max_length=80)
    seen_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-seen_at", "-id"]
