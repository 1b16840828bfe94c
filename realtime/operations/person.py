"""The live connection of a person, for their page."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _

from users.models import User
from users.presence import presence
from users.staff.panels import Cell, Panel, moment


def connection(user: User, request: HttpRequest) -> Iterator[Panel]:
    """Yield since when and from where they are connected."""
    if not request.user.has_perm("realtime.view_liveconnection"):
        return
    found = next((one for one in presence().everyone() if one.user_id == user.pk), None)
    facts: list[tuple[str, Cell]] = []
    if found is not None:
        facts = [
            (_("Since"), moment(datetime.fromtimestamp(found.since, UTC))),
            (_("Last heard"), moment(datetime.fromtimestamp(found.heard, UTC))),
            (_("Address"), Cell(found.address)),
            (_("Process"), Cell(found.process)),
        ]
    link = f"{reverse('admin:realtime_liveconnection_changelist')}?q={user.pk}"
    yield Panel(
        title=_("Connection"), facts=facts, more=Cell(_("Disconnect, log out …"), link), empty=_("Not connected.")
    )
