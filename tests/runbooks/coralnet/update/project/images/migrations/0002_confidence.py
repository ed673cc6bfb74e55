"""How sure the vision backend is."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("images", "0001_initial")]
    operations = [
        migrations.AddField(
            model_name="image",
            name="confidence",
            field=models.PositiveSmallIntegerField(default=0),
        ),
    ]
