import re
from collections.abc import Callable
from typing import Any

import pytest
from django.db import transaction

from common.errors import ValidationFailed
from rides.models import MatchStatus, Ride, RideStatus
from rides.services.payments import payment_process
from rides.services.rides import ride_arrived, ride_cancel, ride_cancel_by_staff, ride_start
from tests.cast import arrive, book, start
from users.models import User
from web.docs.ride import render

TEXT = render()
STEPS: dict[tuple[str, str], Callable[[Ride], Any]] = {
    ("ride_start", "driver"): lambda ride: ride_start(user_id=ride.driver_id, ride_id=ride.pk),
    ("ride_arrived", "driver"): lambda ride: ride_arrived(user_id=ride.driver_id, ride_id=ride.pk),
    ("ride_cancel", "driver"): lambda ride: ride_cancel(user_id=ride.driver_id, ride_id=ride.pk),
    ("ride_cancel", "passenger"): lambda ride: ride_cancel(user_id=ride.passenger_id, ride_id=ride.pk),
    ("ride_cancel", "staff"): lambda ride: ride_cancel_by_staff(ride_id=ride.pk),
    ("payment_process", "passenger"): lambda ride: payment_process(
        user_id=ride.passenger_id, ride_id=ride.pk, total_cost=ride.adjusted_cost, status="ACCEPTED"
    ),
}


def drawn() -> set[tuple[str, str, str, str]]:
    """Return the arrows of the diagram: from, to, command, who."""
    arrows = re.findall(r"^    (\w+) --> (\w+): (\w+) \((.*)\)$", TEXT, re.MULTILINE)
    return {(old, new, command, who) for old, new, command, people in arrows for who in people.split(", ")}


def ride_in(status: str, driver: User, passenger: User) -> Ride:
    """Return a ride that has come this far."""
    if status == RideStatus.PICKUP:
        return book(driver, passenger)
    if status == RideStatus.ONGOING:
        return start(driver, passenger)
    ride = arrive(driver, passenger, tracked_km=1)
    if status == RideStatus.COMPLETED:
        STEPS["payment_process", "passenger"](ride)
    elif status == RideStatus.CANCELLED:
        ride_cancel_by_staff(ride_id=ride.pk)
    return ride


@pytest.mark.django_db
@pytest.mark.parametrize("status", RideStatus.values)
def test_the_diagram_has_the_arrows_of_the_services(status: str, dewi: User, putri: User) -> None:
    """Each step is tried in each state; those that succeed are drawn, and no others."""
    ride = ride_in(status, dewi, putri)
    found = set()
    for (command, who), step in STEPS.items():
        with transaction.atomic():
            try:
                step(ride)
            except ValidationFailed:
                continue
            found.add((status, Ride.objects.get(pk=ride.pk).status, command, who))
            transaction.set_rollback(True)
    assert found == {arrow for arrow in drawn() if arrow[0] == status}


def test_all_states_are_named() -> None:
    """Of rides in the diagram, of matches in the text."""
    states = {state for old, new, _, _ in drawn() for state in (old, new)}
    assert states == set(RideStatus.values)
    assert all(f"`{status}`" in TEXT for status in MatchStatus.values)


def test_the_frames_are_numbered_in_their_order() -> None:
    """As one phone would see them; no mark is left."""
    numbers = [int(number) for number in re.findall(r'"seq": (\d+)', TEXT)]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    assert "{command" not in TEXT
    assert "{message" not in TEXT
