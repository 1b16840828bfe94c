from typing import ClassVar

from django.apps import AppConfig


class RidesConfig(AppConfig):
    """From a driver's beacon to a paid ride."""

    name = "rides"
    verbose_name = "Rides"
    SUPPORT_PERMISSIONS: ClassVar[tuple[str, ...]] = (
        "view_beacon",
        "view_finder",
        "view_candidate",
        "view_match",
        "view_ride",
        "cancel_ride",
        "finish_ride",
        "review_ride",
        "view_trackpoint",
        "view_ledgerentry",
        "view_payment",
        "view_tariff",
    )
