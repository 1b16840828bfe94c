from django.apps import AppConfig


class UsersConfig(AppConfig):
    """Users, drivers, login and tokens."""

    name = "users"
    verbose_name = "Users"
