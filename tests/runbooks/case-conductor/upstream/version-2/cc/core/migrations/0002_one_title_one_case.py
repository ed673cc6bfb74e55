from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("core", "0001_initial")]
    operations = [
        migrations.AlterField("case", "title", models.CharField(max_length=200, unique=True)),
    ]
