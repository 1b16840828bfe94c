"""The panels of a person's page: what each app knows of them, one click from the rest.

`settings.PERSON_PANELS` names functions of the apps; each gets the person and the request, and leaves out what its
viewer has no permission for.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Protocol

import msgspec
from django.conf import settings
from django.db.models import Count, Sum
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from users.models import Driver, KnownAddress, Paper, Rating, StaffRecord, User
from users.selectors import may_see_numbers

MOST = 10
"""Lines of a list; the rest is one click away."""

ACCOUNT = ("users.user", "users.driver")
"""The records that an account is made of; they have the id of the user."""


class Cell(msgspec.Struct, frozen=True):
    """A text, and where it leads."""

    text: str
    link: str = ""


class Panel(msgspec.Struct, frozen=True, kw_only=True):
    """A part of the page: pairs of a name and a value, or a table. `more` leads to all of it."""

    title: str
    facts: list[tuple[str, Cell]] = []
    columns: list[str] = []
    lines: list[list[Cell]] = []
    more: Cell | None = None
    empty: str = ""


class Source(Protocol):
    """An app's part of the page."""

    def __call__(self, user: User, request: HttpRequest) -> Iterator[Panel]:
        """Yield what the viewer may see."""


def person_panels(user: User, request: HttpRequest) -> list[Panel]:
    """Return all panels of a person's page, in the order of `settings.PERSON_PANELS`."""
    sources: Iterable[Source] = map(import_string, settings.PERSON_PANELS)
    return [panel for source in sources for panel in source(user, request)]


def moment(at: datetime | None) -> Cell:
    """Return a time as the page shows it, to the second."""
    return Cell(f"{timezone.localtime(at):%Y-%m-%d %H:%M:%S}" if at else "")


def person_link(user: User) -> Cell:
    """Return a person with a link to their page."""
    return Cell(str(user), reverse("admin:users_user_change", args=[user.pk]))


def identity(user: User, request: HttpRequest) -> Iterator[Panel]:
    """Who it is."""
    number = user.msisdn if may_see_numbers(request.user) else user.masked_msisdn
    name = user.full_name or _("no name given")
    facts = [
        (
            _("Name"),
            Cell(name if user.name_confirmed else _("%(name)s (not confirmed since the last login)") % {"name": name}),
        ),
        (_("Number"), Cell(_("erased") if user.erased_at else number)),
        (_("Role"), Cell(_(user.get_role_display()))),
        (_("Since"), moment(user.owner_since or user.created_at)),
        *_earlier_owner(user),
        (_("Rating"), Cell(_rating(user.rating_sum, user.rating_count))),
        (_("State"), Cell(_("active") if user.is_active else _("deactivated"))),
    ]
    yield Panel(title=_("Who"), facts=[*facts, *_driver(user, request)])


def logins(user: User, request: HttpRequest) -> Iterator[Panel]:
    """Where they logged in."""
    known = KnownAddress.objects.filter(user=user).order_by("-last_login_at")[:MOST]
    yield Panel(
        title=_("Logins"),
        columns=[_("Last login"), _("Address")],
        lines=[[moment(one.last_login_at), Cell(one.address)] for one in known],
        empty=_("None is known."),
    )


def staff_actions(user: User, request: HttpRequest) -> Iterator[Panel]:
    """What staff did to the account."""
    records = list(StaffRecord.objects.filter(target_type__in=ACCOUNT, target_id=str(user.pk))[:MOST])
    actors = User.objects.in_bulk([one.actor_id for one in records if one.actor_id])
    may_see_all = request.user.has_perm("users.view_staffrecord")
    link = f"{reverse('admin:users_staffrecord_changelist')}?q={user.pk}"
    yield Panel(
        title=_("Staff actions"),
        columns=[_("When"), _("Who"), _("What")],
        lines=[[moment(one.at), Cell(_actor(actors, one)), Cell(one.text)] for one in records],
        more=Cell(_("All"), link) if may_see_all else None,
        empty=_("None."),
    )


def _actor(actors: dict[object, User], record: StaffRecord) -> str:
    actor = actors.get(record.actor_id)
    return str(actor) if actor else ""


def _earlier_owner(user: User) -> Iterator[tuple[str, Cell]]:
    """Say that older lines are of somebody else, and how they were rated: another name may hide the same person."""
    if user.owner_since is None:
        return
    before = Rating.objects.filter(rated=user, created_at__lt=user.owner_since)
    stars = before.aggregate(sum=Sum("stars"), count=Count("pk"))
    text = _("somebody else, until %(time)s; rating: %(rating)s") % {
        "time": moment(user.owner_since).text,
        "rating": _rating(stars["sum"] or 0, stars["count"]),
    }
    yield _("Before"), Cell(text)


def _rating(stars: int, count: int) -> str:
    if not count:
        return _("none yet")
    text = ngettext("%(mean)s of %(count)s rating", "%(mean)s of %(count)s ratings", count)
    return text % {"mean": f"{stars / count:.1f}", "count": count}


def _driver(user: User, request: HttpRequest) -> Iterator[tuple[str, Cell]]:
    driver = Driver.objects.filter(user=user).first()
    if driver is None:
        return
    link = reverse("admin:users_driver_change", args=[user.pk]) if request.user.has_perm("users.view_driver") else ""
    yield _("Vehicle"), Cell(f"{_(driver.get_vehicle_type_display())} · {driver.vehicle_plate}", link)
    reason = f": {driver.approval_reason}" if driver.approval_reason else ""
    yield _("Approval"), Cell(f"{_(driver.get_approval_display())}{reason}")
    for paper in Paper.objects.filter(driver=driver).order_by("expires_on"):
        until = _("expired on %(day)s") if paper.expires_on < timezone.localdate() else _("until %(day)s")
        yield _(paper.get_kind_display()).capitalize(), Cell(until % {"day": paper.expires_on})
