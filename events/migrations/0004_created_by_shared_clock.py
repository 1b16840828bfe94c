from django.db import migrations, models

from common import clock


class Migration(migrations.Migration):
    dependencies = [("events", "0003_indexes_for_operators")]

    operations = [
        migrations.AlterField(
            model_name="outboxevent",
            name="created_at",
            field=models.DateTimeField(default=clock.now),
        ),
    ]
