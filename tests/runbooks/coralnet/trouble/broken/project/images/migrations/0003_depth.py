"""How deep it was. Fails where there are images already, as nobody had tried it on staging."""

from django.db import migrations, models


def needs_no_images(apps, schema_editor):
    images = apps.get_model("images", "Image").objects.count()
    if images:
        raise RuntimeError(f"{images} images have no depth")


class Migration(migrations.Migration):
    dependencies = [("images", "0002_confidence")]
    operations = [
        migrations.AddField(model_name="image", name="depth", field=models.FloatField(null=True)),
        migrations.RunPython(needs_no_images),
    ]
