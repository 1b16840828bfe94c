from django.apps import AppConfig


class CommonConfig(AppConfig):
    """What all apps share: it brings a template and template tags."""

    name = "common"
