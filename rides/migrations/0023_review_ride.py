"""Staff may note that they have looked at a flagged ride."""

from django.db import migrations


class Migration(migrations.Migration):

    dependencies = [
        ('rides', '0022_points_kept'),
    ]

    operations = [
        migrations.AlterModelOptions(
            name='ride',
            options={'ordering': ('-created_at',), 'permissions': (('cancel_ride', 'Can cancel rides that are not paid yet'), ('finish_ride', 'Can finish rides that are under way'), ('review_ride', 'Can note that flagged rides have been looked at'))},
        ),
    ]
