from typing import ClassVar

from django.apps import AppConfig


class UsersConfig(AppConfig):
    """Users, drivers, login and tokens."""

    name = "users"
    verbose_name = "Users"
    SUPPORT_PERMISSIONS: ClassVar[tuple[str, ...]] = ("view_user", "view_driver", "view_msisdn", "shut_out_user")

    def ready(self) -> None:
        """Let drf-spectacular find our extensions of the OpenAPI document."""
        from users import openapi  # noqa: F401  (needs the apps)
