from django.apps import AppConfig


class NebengjekConfig(AppConfig):
    """The project itself: it brings the system checks."""

    name = "nebengjek"

    def ready(self) -> None:
        """Register the checks."""
        from nebengjek import checks  # noqa: F401
