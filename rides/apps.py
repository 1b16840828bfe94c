from django.apps import AppConfig


class RidesConfig(AppConfig):
    """From a driver's beacon to a paid ride."""

    name = "rides"
    verbose_name = "Rides"
