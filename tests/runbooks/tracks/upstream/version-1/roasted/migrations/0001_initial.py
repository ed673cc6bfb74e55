from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.operations import TrigramExtension
from django.db import migrations, models


def key():
    return ("id", models.BigAutoField(primary_key=True, serialize=False, auto_created=True, verbose_name="ID"))


class Migration(migrations.Migration):
    initial = True
    dependencies = []

    operations = [
        TrigramExtension(),
        migrations.CreateModel("Target", [key(), ("name", models.SlugField()), ("url", models.URLField())]),
        migrations.AddIndex("Target", GinIndex(fields=["url"], name="roasted_target_url", opclasses=["gin_trgm_ops"])),
        migrations.CreateModel(
            "RedirectHit",
            [
                key(),
                ("target", models.ForeignKey("roasted.Target", models.CASCADE)),
                ("at", models.DateTimeField(auto_now_add=True)),
            ],
        ),
    ]
