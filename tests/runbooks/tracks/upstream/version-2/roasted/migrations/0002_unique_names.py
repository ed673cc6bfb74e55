from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("roasted", "0001_initial")]

    operations = [migrations.AlterField("Target", "name", models.SlugField(unique=True))]
