"""A forum, small: what its maintenance tasks and its two extensions are for is all here."""

from django.contrib.postgres.fields import HStoreField
from django.contrib.postgres.indexes import GinIndex
from django.db import models


class Category(models.Model):
    """Threads older than `prune_days` are pruned."""

    name = models.CharField(max_length=100)
    prune_days = models.PositiveIntegerField(null=True)


class Thread(models.Model):
    """The index spans a number and an hstore: GIN does that with both extensions only."""

    category = models.ForeignKey(Category, on_delete=models.CASCADE)
    title = models.CharField(max_length=255)
    poster = models.CharField(max_length=100)
    posted_on = models.DateTimeField()
    flags = HStoreField(default=dict)
    latitude = models.FloatField(default=0)
    longitude = models.FloatField(default=0)

    class Meta:
        indexes = [GinIndex(fields=["category", "flags"], name="forum_thread_flags")]
        constraints = [models.UniqueConstraint(fields=["category", "title"], name="forum_thread_title")]


class ReadTracker(models.Model):
    """Who has read what."""

    thread = models.ForeignKey(Thread, on_delete=models.CASCADE)
    reader = models.CharField(max_length=100)
    read_on = models.DateTimeField()


class Attachment(models.Model):
    """A file in MEDIA_ROOT; an orphan belongs to no post."""

    file = models.FileField(upload_to="attachments")
    orphan = models.BooleanField(default=True)


class Ban(models.Model):
    """Who may not come in, and until when."""

    who = models.CharField(max_length=100)
    expires_on = models.DateTimeField()
    is_valid = models.BooleanField(default=True)


class ActivePoster(models.Model):
    """The list on the users page; built by a maintenance task, empty without it."""

    name = models.CharField(max_length=100)
    posts = models.PositiveIntegerField()
