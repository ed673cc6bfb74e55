"""The first table."""

from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True
    dependencies = []
    operations = [
        migrations.CreateModel(
            name="BlogPost",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("title", models.CharField(max_length=80)),
            ],
        ),
        # Which migration was applied by whom: nothing but the migrations write here.
        migrations.RunSQL("CREATE TABLE applied (migration text NOT NULL, node inet)", "DROP TABLE applied"),
    ]
