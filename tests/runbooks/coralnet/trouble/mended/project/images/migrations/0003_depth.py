"""How deep it was."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("images", "0002_confidence")]
    operations = [
        migrations.AddField(model_name="image", name="depth", field=models.FloatField(null=True)),
    ]
