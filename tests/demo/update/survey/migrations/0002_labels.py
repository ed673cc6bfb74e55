"""Labels, and the index that finds them by place. The extensions must be there."""

import django.contrib.postgres.fields.hstore
import django.contrib.postgres.indexes
from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("survey", "0001_initial")]
    operations = [
        migrations.AddField(
            model_name="observation",
            name="labels",
            field=django.contrib.postgres.fields.hstore.HStoreField(default=dict),
        ),
        migrations.AddIndex(
            model_name="observation",
            index=django.contrib.postgres.indexes.GinIndex(
                fields=["place", "labels"], name="observation_place_labels"
            ),
        ),
    ]
