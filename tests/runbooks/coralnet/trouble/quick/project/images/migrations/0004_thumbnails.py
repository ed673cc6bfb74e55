"""Where the small ones are."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("images", "0003_depth")]
    operations = [
        migrations.RunSQL("CREATE TABLE thumbnails (image bigint)", "DROP TABLE thumbnails"),
        migrations.RunSQL("SELECT pg_sleep(0)", ""),
    ]
