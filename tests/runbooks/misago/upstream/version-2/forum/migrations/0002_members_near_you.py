from django.contrib.postgres.operations import CreateExtension
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("forum", "0001_initial")]

    operations = [
        CreateExtension("cube"),
        CreateExtension("earthdistance"),
        migrations.AddField("Thread", "latitude", models.FloatField(default=0)),
        migrations.AddField("Thread", "longitude", models.FloatField(default=0)),
        migrations.AddConstraint("Thread", models.UniqueConstraint(fields=["category", "title"], name="forum_thread_title")),
        migrations.RunSQL(
            "ALTER TABLE forum_thread ADD CONSTRAINT forum_thread_on_earth"
            " CHECK (earth_distance(ll_to_earth(0, 0), ll_to_earth(latitude, longitude)) >= 0)",
            "ALTER TABLE forum_thread DROP CONSTRAINT forum_thread_on_earth",
        ),
    ]
