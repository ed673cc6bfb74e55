"""Slugs. It takes a while, as such things do where there are many posts."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("main", "0001_initial")]
    operations = [
        migrations.AddField(model_name="blogpost", name="slug", field=models.SlugField(default="")),
        migrations.RunSQL("SELECT pg_sleep(2)", ""),
        migrations.RunSQL("INSERT INTO applied VALUES ('0002_slug', inet_client_addr())", ""),
    ]
