from django.contrib.postgres.fields import HStoreField
from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.operations import BtreeGinExtension, HStoreExtension
from django.db import migrations, models


def key():
    return ("id", models.BigAutoField(primary_key=True, serialize=False, auto_created=True, verbose_name="ID"))


class Migration(migrations.Migration):
    initial = True
    dependencies = []

    operations = [
        BtreeGinExtension(),
        HStoreExtension(),
        migrations.CreateModel(
            "Category",
            [key(), ("name", models.CharField(max_length=100)), ("prune_days", models.PositiveIntegerField(null=True))],
        ),
        migrations.CreateModel(
            "Thread",
            [
                key(),
                ("category", models.ForeignKey("forum.Category", models.CASCADE)),
                ("title", models.CharField(max_length=255)),
                ("poster", models.CharField(max_length=100)),
                ("posted_on", models.DateTimeField()),
                ("flags", HStoreField(default=dict)),
            ],
        ),
        migrations.AddIndex("Thread", GinIndex(fields=["category", "flags"], name="forum_thread_flags")),
        migrations.CreateModel(
            "ReadTracker",
            [
                key(),
                ("thread", models.ForeignKey("forum.Thread", models.CASCADE)),
                ("reader", models.CharField(max_length=100)),
                ("read_on", models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            "Attachment",
            [key(), ("file", models.FileField(upload_to="attachments")), ("orphan", models.BooleanField(default=True))],
        ),
        migrations.CreateModel(
            "Ban",
            [
                key(),
                ("who", models.CharField(max_length=100)),
                ("expires_on", models.DateTimeField()),
                ("is_valid", models.BooleanField(default=True)),
            ],
        ),
        migrations.CreateModel(
            "ActivePoster",
            [key(), ("name", models.CharField(max_length=100)), ("posts", models.PositiveIntegerField())],
        ),
    ]
