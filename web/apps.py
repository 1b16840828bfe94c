from django.apps import AppConfig


class WebConfig(AppConfig):
    """The pages: the demo, the live map, the documents."""

    name = "web"

    def ready(self) -> None:
        """Register the check."""
        from web import demo  # noqa: F401
