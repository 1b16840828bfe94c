"""Who may not drive takes no passengers: at the beacon, with an open offer, and from midnight on."""

from datetime import date
from typing import Any

import pytest
import time_machine

from common.errors import ValidationFailed
from rides.models import Beacon, Match, Ride
from rides.services.approval import beacons_barred, require_approval
from rides.services.matches import match_confirm
from rides.timers import close_deactivated
from tests.cast import book, propose, stand_by, told
from users.models import Driver, User

pytestmark = pytest.mark.django_db
REFUSED = {"approval": "refused", "approval_reason": "The licence is a copy"}
EXPIRED = {"papers_until": date(2020, 1, 1)}


@pytest.mark.parametrize("change", [REFUSED, EXPIRED])
def test_an_open_offer_is_not_taken_any_more(dewi: User, putri: User, change: dict[str, Any]) -> None:
    """The driver is told why."""
    match = propose(dewi, putri)
    Driver.objects.update(**change)
    with pytest.raises(ValidationFailed, match=r"licence is a copy|was valid until"):
        match_confirm(user_id=dewi.pk, match_id=match.pk, accepted=True)
    assert not Ride.objects.exists()
    match_confirm(user_id=dewi.pk, match_id=match.pk, accepted=False)


def test_a_passenger_does_not_book_who_may_not_drive(dewi: User, putri: User) -> None:
    """The driver accepted before; the reason is nobody else's business."""
    match = propose(dewi, putri)
    match_confirm(user_id=dewi.pk, match_id=match.pk, accepted=True)
    Driver.objects.update(**REFUSED)
    with pytest.raises(ValidationFailed, match=r"^The other side is not available any more\.$"):
        match_confirm(user_id=putri.pk, match_id=match.pk, accepted=True)


def test_beacons_go_off_at_midnight_where_people_live(dewi: User, joko: User, putri: User, settings: Any) -> None:
    """In Jakarta that is 17:00 UTC: the offer is withdrawn, the driver hears of it, others are left alone."""
    settings.TIME_ZONE = "Asia/Jakarta"
    stand_by(joko)
    match = propose(dewi, putri)
    Driver.objects.filter(pk=dewi.pk).update(papers_until=date(2026, 5, 31))
    with time_machine.travel("2026-05-31T16:59:59Z", tick=False):
        assert beacons_barred(9) == set()
        require_approval(Driver.objects.get(pk=dewi.pk))
    with time_machine.travel("2026-05-31T17:00:00Z", tick=False):
        assert close_deactivated() == 1
        assert close_deactivated() == 0
        with pytest.raises(ValidationFailed, match="2026-05-31"):
            require_approval(Driver.objects.get(pk=dewi.pk))
    assert set(Beacon.objects.filter(is_active=True).values_list("driver", flat=True)) == {joko.pk}
    assert Match.objects.get(pk=match.pk).reason == "cancelled"
    assert ("beacon_update", False) in [(kind, data.get("is_active")) for kind, data in told(dewi)]


@pytest.mark.parametrize("setting", [False, True])
def test_waiting_ends_beacons_with_approval_only(dewi: User, settings: Any, setting: bool) -> None:
    """Who drove before `DRIVER_APPROVAL` was switched on is approved."""
    stand_by(dewi)
    settings.DRIVER_APPROVAL = setting
    assert beacons_barred(9) == set()
    Driver.objects.update(approval="pending")
    assert beacons_barred(9) == ({dewi.pk} if setting else set())


def test_a_booked_ride_goes_on(dewi: User, putri: User) -> None:
    """The beacon goes off under it, the passenger is still picked up."""
    ride = book(dewi, putri)
    Driver.objects.update(**REFUSED)
    assert close_deactivated() == 1
    ride.refresh_from_db()
    assert ride.status == "PICKUP"
