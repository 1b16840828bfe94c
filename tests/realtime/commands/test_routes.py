import inspect

import msgspec
import pytest

from realtime.commands.routes import ROUTES, allowed_actions
from rides.selectors import user_state
from rides.services.matches import match_confirm
from rides.services.payments import payment_process
from rides.services.rides import ride_cancel
from tests.cast import arrive, book, propose, start
from users.models import User

ALWAYS = ["location_update", "token_refresh", "sync"]
SITUATED = {
    *("beacon_update", "finder_update", "match_confirm", "ride_start", "ride_arrived", "payment_process", "ride_cancel")
}
"""The commands whose situations are looked at here; others may come beside them."""


def actions(user: User) -> list[str]:
    """Return which of these commands make sense for a user now."""
    found = allowed_actions(user.role, user_state(user.pk, user.role))
    assert found[:3] == ALWAYS
    return [action for action in found if action in SITUATED]


@pytest.mark.parametrize("name", ROUTES)
def test_a_service_takes_the_fields_of_its_command(name: str) -> None:
    route = ROUTES[name]
    if route.service is None:
        return
    parameters = inspect.signature(route.service).parameters
    assert set(parameters) == {"user_id", *route.command.__struct_fields__}
    assert all(parameter.kind is inspect.Parameter.KEYWORD_ONLY for parameter in parameters.values())
    for field in msgspec.structs.fields(route.command):
        optional = parameters[field.name].default is not inspect.Parameter.empty
        assert optional != field.required, field.name


def test_only_what_costs_a_search_or_a_booking_is_limited_by_user() -> None:
    costly = {name for name, route in ROUTES.items() if route.costly}
    assert costly >= {"finder_update", "match_confirm"}
    assert not costly & {"location_update", "ride_start", "ride_arrived", "ride_cancel", "payment_process", "sync"}


@pytest.mark.django_db
def test_a_new_user_may_switch_only(dewi: User, putri: User) -> None:
    """A driver the beacon, a passenger the finder."""
    assert (actions(dewi), actions(putri)) == (["beacon_update"], ["finder_update"])


@pytest.mark.django_db
def test_a_user_who_has_confirmed_waits(dewi: User, putri: User, tono: User) -> None:
    """The other side may still answer."""
    match = propose(dewi, putri)
    assert actions(putri) == ["finder_update", "match_confirm"]
    match_confirm(user_id=putri.pk, match_id=match.pk, accepted=True)
    assert actions(putri) == ["finder_update"]
    assert actions(dewi) == ["beacon_update", "match_confirm"]
    assert "match_confirm" not in actions(tono)


@pytest.mark.django_db
def test_a_ride_can_be_cancelled_before_its_start(dewi: User, putri: User) -> None:
    """By both; only the driver starts it."""
    ride = book(dewi, putri)
    assert actions(dewi) == ["beacon_update", "ride_start", "ride_cancel"]
    assert actions(putri) == ["ride_cancel"]
    ride_cancel(user_id=putri.pk, ride_id=ride.pk)
    assert actions(putri) == ["finder_update"]


@pytest.mark.django_db
def test_a_driver_on_a_ride_may_only_arrive(dewi: User, putri: User) -> None:
    """Their passenger may do nothing."""
    start(dewi, putri)
    assert actions(dewi) == ["beacon_update", "ride_arrived"]
    assert actions(putri) == []


@pytest.mark.django_db
def test_only_the_passenger_pays(dewi: User, putri: User) -> None:
    """The driver is free as soon as the ride has arrived."""
    ride = arrive(dewi, putri, tracked_km=1)
    assert actions(putri) == ["payment_process"]
    assert actions(dewi) == ["beacon_update"]
    payment_process(user_id=putri.pk, ride_id=ride.pk, total_cost=3000, status="ACCEPTED")
    assert actions(putri) == ["finder_update"]
