from django.apps import AppConfig


class WebConfig(AppConfig):
    """The pages: the demo, the live map, the documents."""

    name = "web"

    def ready(self) -> None:
        """Register the check, and let the names of tables and columns be translated."""
        from web import demo  # noqa: F401
        from web.labels import translate_labels

        translate_labels()
