"""Count the positions that a ride keeps, which bounds them."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('rides', '0021_devices'),
    ]

    operations = [
        migrations.AddField(
            model_name='ride',
            name='kept_passenger_points',
            field=models.PositiveIntegerField(db_default=0, default=0, help_text='And of the passenger.'),
        ),
        migrations.AddField(
            model_name='ride',
            name='kept_points',
            field=models.PositiveIntegerField(db_default=0, default=0, help_text='Positions kept of the driver.'),
        ),
    ]
