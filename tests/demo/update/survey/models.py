"""What the buoys saw."""

from django.contrib.postgres.fields import HStoreField
from django.contrib.postgres.indexes import GinIndex
from django.db import models


class Observation(models.Model):
    """One animal or coral at one place, with whatever else was noted."""

    place = models.CharField(max_length=80)
    species = models.CharField(max_length=80)
    seen_at = models.DateTimeField(auto_now_add=True)
    labels = HStoreField(default=dict)

    class Meta:
        ordering = ["-seen_at", "-id"]
        # A text column beside an hstore in one GIN index: that is what btree_gin is for.
        indexes = [GinIndex(fields=["place", "labels"], name="observation_place_labels")]
