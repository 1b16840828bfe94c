"""What rides cost on the street: noise, wrong clocks, backlogs, cheats, and the receipt of it."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterable
from datetime import timedelta

import pytest
from django.utils import timezone

from rides.geo import GeoPoint
from rides.metering.fixes import Fix
from rides.models import LedgerEntry, Quote, Ride, Tariff, TrackPoint
from rides.services.fares import fare_recompute
from rides.services.quotes import quote_make
from rides.services.rides import ride_arrived
from rides.services.tracks import Report, tracks_record
from tests.cast import MONAS, backdate, drive, fix_at, north_of, start
from users.models import User

pytestmark = pytest.mark.django_db
Rng = random.Random
Noise = Callable[[], tuple[float, float]]


def white(rng: Rng, sigma: float) -> Noise:
    """Noise that is new with each fix."""
    return lambda: (rng.gauss(0, sigma), rng.gauss(0, sigma))


def wandering(rng: Rng, sigma: float, rho: float = 0.95) -> Noise:
    """Noise that wanders: each fix's is mostly that of the one before."""
    now = [rng.gauss(0, sigma), rng.gauss(0, sigma)]

    def step() -> tuple[float, float]:
        for axis in (0, 1):
            now[axis] = rho * now[axis] + rng.gauss(0, sigma * math.sqrt(1 - rho * rho))
        return now[0], now[1]

    return step


def moved(metres: float, noise: tuple[float, float]) -> GeoPoint:
    place = north_of(MONAS, metres + noise[0])
    return GeoPoint(place.latitude, place.longitude + noise[1] / 110_500)


def begun(driver: User, passenger: User, seconds: float = 4000) -> Ride:
    ride = start(driver, passenger)
    backdate(ride, seconds)
    return ride


def tell(ride: Ride, fixes: Iterable[Fix]) -> None:
    """Record fixes as the socket does, a few at a time."""
    told = [Report(fix, fix.received_at) for fix in fixes]
    for n in range(0, len(told), 50):
        tracks_record(reports={ride.pk: told[n : n + 50]})


def bill(ride: Ride) -> Ride:
    ride_arrived(user_id=ride.driver_id, ride_id=ride.pk)
    ride.refresh_from_db()
    assert fare_recompute(ride).cost == ride.total_cost == sum(entry.cost for entry in LedgerEntry.objects.all())
    assert sum(entry.distance_km for entry in LedgerEntry.objects.all()) == ride.distance_km
    assert ride.receipt is not None
    assert sum(line["amount"] for line in ride.receipt["lines"]) == ride.total_cost
    return ride


def stands(ride: Ride) -> list[Report]:
    """A passenger's phone that stays where the ride began, for ten minutes."""
    times = [at(ride, 10.0 * n) for n in range(60)]
    return [Report(fix_at(MONAS, when, 5, clock=0), when, by_driver=False) for when in times]


def at(ride: Ride, seconds: float) -> float:
    assert ride.started_at is not None
    return ride.started_at.timestamp() + seconds


@pytest.mark.parametrize("sigma", [5, 10, 15])
@pytest.mark.parametrize("kind", [white, wandering])
@pytest.mark.parametrize("accuracy", [True, False])
def test_standing_costs_nothing(
    dewi: User, putri: User, sigma: float, kind: Callable[[Rng, float], Noise], accuracy: bool
) -> None:
    """Ten minutes at a red light, a fix a second, by any ordinary phone."""
    ride, noise = begun(dewi, putri), kind(Rng(f"{sigma} {kind.__name__}"), sigma)
    said = sigma if accuracy else None
    tell(ride, [fix_at(moved(0, noise()), at(ride, n), said, clock=0) for n in range(1, 601)])
    assert (bill(ride).total_cost, ride.needs_review) == (0, "")


@pytest.mark.parametrize("sigma", [5, 10])
@pytest.mark.parametrize("every", [1, 5, 15])
def test_a_road_costs_its_length(dewi: User, putri: User, sigma: float, every: int) -> None:
    """Five kilometres at 30 km/h, whatever the noise and however often the phone reports."""
    ride, noise = begun(dewi, putri), white(Rng(sigma * every), sigma)
    metres = 5000 / 600
    fixes = [fix_at(moved(metres * n, noise()), at(ride, n), sigma, clock=0) for n in range(every, 601, every)]
    tell(ride, fixes)
    assert bill(ride).total_cost == pytest.approx(15_000, rel=0.02)
    assert ride.needs_review == ""


@pytest.mark.parametrize("clock", [0, 35, 120, 3600, 7 * 3600, -35, -3600, -1024 * 7 * 86400])
def test_a_phone_whose_clock_is_wrong_bills_right(dewi: User, putri: User, clock: float) -> None:
    """Fast, slow, in another zone, or 1,024 weeks ago."""
    ride = begun(dewi, putri)
    tell(ride, [fix_at(north_of(MONAS, 9 * n), at(ride, n), 5, clock=clock) for n in range(1, 101)])
    assert bill(ride).total_cost == pytest.approx(2700, abs=3)


def test_a_clock_that_is_corrected_in_the_middle_bills_right(dewi: User, putri: User) -> None:
    """The phone finds the right time while it drives."""
    ride = begun(dewi, putri)
    tell(ride, [fix_at(north_of(MONAS, 9 * n), at(ride, n), 5, clock=90 if n < 50 else 0) for n in range(1, 101)])
    assert bill(ride).total_cost == pytest.approx(2700, rel=0.02)


def test_a_tunnel_is_billed_in_whatever_order_it_comes_out(dewi: User, putri: User) -> None:
    """A minute without a network: the phone then sends its backlog, the newest first."""
    ride = begun(dewi, putri)
    fixes = [fix_at(north_of(MONAS, 9 * n), at(ride, n), 5, clock=0) for n in range(1, 101)]
    late = [Fix(fix.latitude, fix.longitude, at(ride, 91 + k / 1000), fix.phone_time, "", 5)
            for k, fix in enumerate(reversed(fixes[30:90]))]  # fmt: skip
    tell(ride, [*fixes[:30], *late, *fixes[91:]])
    assert bill(ride).total_cost == pytest.approx(2700, abs=10)


def test_single_wrong_fixes_cost_nothing_and_are_on_the_receipt(dewi: User, putri: User) -> None:
    """Null island, a cell tower, a reflection, a jump of 700 km."""
    ride = begun(dewi, putri)
    fixes = [fix_at(north_of(MONAS, 9 * n), at(ride, n), 5, clock=0) for n in range(1, 201)]
    fixes[40] = fix_at(GeoPoint(0, 0), at(ride, 41), 5, clock=0)
    fixes[80] = fix_at(north_of(MONAS, 3000), at(ride, 81), 1500, clock=0)
    fixes[120] = fix_at(GeoPoint(MONAS.latitude, MONAS.longitude + 0.004), at(ride, 121), 5, clock=0)
    fixes[160] = fix_at(north_of(MONAS, 700_000), at(ride, 161), 5, clock=0)
    tell(ride, fixes)
    assert bill(ride).total_cost == pytest.approx(5400, rel=0.005)
    assert ride.receipt is not None
    assert ride.receipt["not_counted"] == [
        {"reason": "inaccurate", "points": 1},
        {"reason": "no_fix", "points": 1},
        {"reason": "spike", "points": 2},
    ]
    refused = TrackPoint.objects.filter(accepted=False).order_by("id").values_list("reason", flat=True)
    assert list(refused) == ["no_fix", "inaccurate", "spike", "spike"]


def test_a_phone_that_shakes_is_doubted_and_not_paid(dewi: User, putri: User) -> None:
    """50 m to and fro every second, beside a passenger who stands."""
    ride = begun(dewi, putri)
    shaking = [fix_at(north_of(MONAS, 25 * (-1) ** n), at(ride, n), 5, clock=0) for n in range(1, 601)]
    tell(ride, shaking)
    still = stands(ride)
    tracks_record(reports={ride.pk: still})
    assert bill(ride).total_cost < 3000
    assert ride.needs_review


def test_a_driver_who_drives_elsewhere_is_seen(dewi: User, putri: User) -> None:
    """The passenger stands where they were picked up while the driver's phone goes on without them."""
    ride = begun(dewi, putri)
    tell(ride, [fix_at(north_of(MONAS, 10 * n), at(ride, n), 5, clock=0) for n in range(1, 601)])
    here = stands(ride)
    tracks_record(reports={ride.pk: here})
    assert bill(ride).needs_review == "apart"


def test_a_ride_together_is_not_doubted(dewi: User, putri: User) -> None:
    """Both phones are in the same vehicle."""
    ride, rng = begun(dewi, putri), Rng(1)
    ways = {True: white(rng, 8), False: white(rng, 8)}
    both = [
        Report(fix_at(moved(10 * n, ways[by_driver]()), at(ride, n), 8, clock=0), at(ride, n), by_driver)
        for n in range(1, 601)
        for by_driver in (True, False)
    ]
    tracks_record(reports={ride.pk: both})
    assert bill(ride).needs_review == ""


def test_the_ledger_takes_back_what_the_estimate_booked_too_much(dewi: User, putri: User) -> None:
    """The last entry may be less than nothing; the sum is the fare of the whole track."""
    ride = begun(dewi, putri)
    tell(ride, [fix_at(north_of(MONAS, 10 * n), at(ride, n), 5, clock=0) for n in range(1, 111)])
    Ride.objects.update(tracked_km=9)
    ride.refresh_from_db()
    LedgerEntry.objects.create(ride=ride, distance_km=3, cost=9000, created_at=timezone.now())
    Ride.objects.update(distance_km=4, total_cost=12_000)
    bill(ride)
    assert ride.total_cost == pytest.approx(3300, abs=2)
    assert LedgerEntry.objects.latest("id").cost < 0


def test_a_ride_keeps_the_limits_of_its_booking(dewi: User, putri: User, settings: object) -> None:
    """A stricter limit of tomorrow changes no price of yesterday."""
    ride = begun(dewi, putri)
    drive(ride, *((20.0 * n, float(n)) for n in range(1, 100)), accuracy=40)
    bill(ride)
    settings.RIDES_MAX_ACCURACY_M = 10  # type: ignore[attr-defined]
    settings.RIDES_MAX_SPEED_KMH = 20  # type: ignore[attr-defined]
    assert fare_recompute(ride).cost == ride.total_cost == pytest.approx(5940, rel=0.01)


def quoted(passenger: User, ride: Ride, km: float, cost: int) -> Quote:
    quote = quote_make(user=passenger, location=MONAS, target_location=north_of(MONAS, km * 1000))
    Quote.objects.filter(pk=quote.pk).update(distance_km=km, total_cost=cost, lines=[{"label": "x", "amount": cost}])
    Ride.objects.filter(pk=ride.pk).update(quote=quote)
    ride.refresh_from_db()
    return quote


@pytest.mark.parametrize(
    ("quoted_km", "driven_m", "pays_quote"),
    [
        (1.0, 1000, True),
        (1.0, 1190, True),
        (1.0, 1210, False),
        (1.0, 810, True),
        (1.0, 690, False),
        (1.31, 1000, False),
    ],
)
def test_a_quote_is_paid_where_the_ride_is_the_quoted_one(
    dewi: User, putri: User, quoted_km: float, driven_m: float, pays_quote: bool
) -> None:
    """Within 300 m of the target and 20 % of the way; else the meter decides."""
    ride = begun(dewi, putri)
    quoted(putri, ride, quoted_km, 2222)
    drive(ride, *((driven_m * n / 20, 10.0 * n) for n in range(1, 21)))
    bill(ride)
    assert ride.total_cost == (2222 if pays_quote else pytest.approx(driven_m * 3, abs=2))
    assert ride.receipt is not None
    assert ride.receipt["by_quote"] == pays_quote


def test_waiting_and_driving_are_told_apart(dewi: User, putri: User) -> None:
    """By a tariff with time: five minutes of driving, ten of standing."""
    ride, noise = begun(dewi, putri), white(Rng(3), 4)
    tariff = Tariff.objects.create(
        name="time",
        valid_from=timezone.now() - timedelta(days=1),
        created_at=timezone.now(),
        per_minute=100,
        per_waiting_minute=1000,
        free_waiting_minutes=5,
    )
    Ride.objects.update(tariff=tariff)
    ride.refresh_from_db()
    fixes = [fix_at(moved(8 * min(n, 300), noise()), at(ride, n), 4, clock=0) for n in range(1, 901)]
    tell(ride, fixes)
    bill(ride)
    assert ride.receipt is not None
    driving, waiting = (line["amount"] for line in ride.receipt["lines"])
    assert driving == pytest.approx(500, abs=25)
    assert waiting == pytest.approx(5000, abs=250)


def test_the_filtered_track_is_that_of_the_fare(dewi: User, putri: User) -> None:
    """What support sees on the map is what was billed: no zigzag."""
    ride, noise = begun(dewi, putri), white(Rng(4), 10)
    tell(ride, [fix_at(moved(10 * n, noise()), at(ride, n), 10, clock=0) for n in range(1, 301)])
    bill(ride)
    aside = [abs(point.longitude - MONAS.longitude) * 110_500 for point in fare_recompute(ride).track]
    assert max(aside) < 12
    assert sum(aside) / len(aside) < 5
