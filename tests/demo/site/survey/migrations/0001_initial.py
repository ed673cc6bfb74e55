"""The first table."""

from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True
    dependencies = []
    operations = [
        migrations.CreateModel(
            name="Observation",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("place", models.CharField(max_length=80)),
                ("species", models.CharField(max_length=80)),
                ("seen_at", models.DateTimeField(auto_now_add=True)),
            ],
            options={"ordering": ["-seen_at", "-id"]},
        ),
    ]
