"""People's units for pages of support: 380 m, 12 s, local time to the second."""

from __future__ import annotations

from datetime import datetime

from django.utils import timezone
from django.utils.translation import gettext as _


def distance(km: float) -> str:
    """Return a distance: metres up to a kilometre, then kilometres with one decimal."""
    metres = round(km * 1000)
    return _("%(number)s m") % {"number": metres} if metres < 1000 else _("%(number)s km") % {"number": f"{km:.1f}"}


def distance_exact(km: float) -> str:
    """Return a distance in kilometres, to the metre, as it is billed."""
    return _("%(number)s km") % {"number": f"{km:.3f}"}


def duration(seconds: float) -> str:
    """Return a time span: seconds up to two minutes, then minutes, then hours and days."""
    for limit, unit, text in (
        (120, 1, _("%(number)s s")),
        (7200, 60, _("%(number)s min")),
        (172_800, 3600, _("%(number)s h")),
    ):
        if seconds < limit:
            return text % {"number": round(seconds / unit)}
    return _("%(number)s days") % {"number": round(seconds / 86_400)}


def age(seconds: float) -> str:
    """Return how long ago something was."""
    return _("%(time)s ago") % {"time": duration(seconds)}


def moment(when: datetime | None) -> str:
    """Return a local time to the second."""
    return f"{timezone.localtime(when):%Y-%m-%d %H:%M:%S}" if when else ""


def clock(when: datetime | None) -> str:
    """Return the local time of a day to the second."""
    return f"{timezone.localtime(when):%H:%M:%S}" if when else ""
