"""A small town that lives in the server: drivers and passengers around Monas, Jakarta, for as long as it runs.

They are real WebSocket clients of that server and take whole rides, at the pace of a town. Each lives independently:
whatever goes wrong in a life is logged, and the next one begins after a while, from the state the server tells.
"""

from __future__ import annotations

import asyncio
import logging
import random
import secrets

from common.threads import in_write_thread
from nebengjek_client import NebengJekError, Tokens
from rides.geo import GeoPoint
from simulation.people import Driver, Habits, Passenger, Person
from users.models import Approval, Role, User
from users.services import driver_create
from users.tokens import tokens_issue

logger = logging.getLogger(__name__)

MONAS = GeoPoint(-6.1754, 106.8272)
DRIVERS = ("Agus", "Bayu", "Cahya", "Dewi", "Eko", "Fitri", "Gilang", "Hendra", "Indah", "Joko", "Kadek", "Lestari")
PASSENGERS = ("Made", "Nadia", "Oki", "Putri", "Rizky", "Sari", "Tono", "Wulan")
DRIVER_NUMBER = "+628157{:07d}"
PASSENGER_NUMBER = "+628158{:07d}"
NEWCOMER_NUMBER = "+6281590000000"
STAFF_NUMBER = "+6281100000000"
VEHICLES = ("motorcycle", "motorcycle", "motorcycle", "car", "van")

HABITS = Habits(
    center=MONAS, reach_m=1500, report_interval=2, hurries=False, answer_delay=(1, 6), declines=0.1, calls_off=0.04,
    refuses_first=0.04, takes_break=0.1, break_length=(60, 240), pause=(5, 60), patience=3600,
)  # fmt: skip

Kind = type[Driver] | type[Passenger]
FAILURES = (NebengJekError, OSError, TimeoutError)
NEXT_LIFE = (2.0, 10.0)
"""Seconds from the end of a life to the next."""


class Town:
    """The people of a town, on the server at `url`."""

    def __init__(self, url: str, habits: Habits = HABITS, rng: random.Random | None = None) -> None:
        self.rides = 0
        self.failures = 0
        self._url = url
        self._habits = habits
        self._rng = rng or random.Random()  # noqa: S311
        self._lives: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Let the people live, from now until `stop`."""
        kinds = ((DRIVER_NUMBER, DRIVERS, Driver), (PASSENGER_NUMBER, PASSENGERS, Passenger))
        for pattern, names, kind in kinds:
            for number, name in enumerate(names):
                life = self._live(kind, name, pattern.format(number))
                self._lives.append(asyncio.create_task(life, name=f"{name} of the town"))

    async def stop(self) -> None:
        """End all lives; what they were doing is found and finished by the next ones."""
        for life in self._lives:
            life.cancel()
        await asyncio.gather(*self._lives, return_exceptions=True)
        self._lives.clear()

    async def _live(self, kind: Kind, name: str, msisdn: str) -> None:
        while True:
            try:
                await self._one_life(kind, name, msisdn)
            except FAILURES as exc:
                logger.warning("%s of the town starts over: %s", name, exc or type(exc).__name__)
            except Exception:
                logger.exception("%s of the town starts over.", name)
            self.failures += 1
            await asyncio.sleep(self._rng.uniform(*NEXT_LIFE))

    async def _one_life(self, kind: Kind, name: str, msisdn: str) -> None:
        tokens = await in_write_thread(tokens_of, msisdn, name, driver=kind is Driver)
        person = kind(name, self._url, tokens, random.Random(self._rng.random()), self._habits)  # noqa: S311
        person.on_ride = self._count_ride
        try:
            await person.begin()
            await person.live()
        finally:
            await _hang_up(person)

    def _count_ride(self) -> None:
        self.rides += 1


def tokens_of(msisdn: str, name: str, *, driver: bool) -> Tokens:
    """Return the tokens of a person of the town; the first login creates the user."""
    user, created = User.objects.get_or_create(msisdn=msisdn, defaults={"full_name": name})
    if created:
        user.set_unusable_password()
        user.save(update_fields=["password"])
    if driver and user.role != Role.DRIVER:
        number = int(msisdn[-7:])
        plate = f"B {4000 + number * 7} {name[:2].upper()}Z"
        user = driver_create(user_id=user.pk, vehicle_type=VEHICLES[number % len(VEHICLES)], vehicle_plate=plate)
        _decide(user, Approval.APPROVED)  # the town lives with DRIVER_APPROVAL too
    return Tokens(**tokens_issue(user))


def town_office() -> tuple[str, str]:
    """Give the town's staff something to decide; return their number and password."""
    newcomer()
    return staff_account()


def newcomer() -> None:
    """Let a driver wait for approval, for staff to decide; whom they have decided upon stays as they decided."""
    user, created = User.objects.get_or_create(msisdn=NEWCOMER_NUMBER, defaults={"full_name": "Nyoman"})
    if created:
        user.set_unusable_password()
        user.save(update_fields=["password"])
        user = driver_create(user_id=user.pk, vehicle_type="motorcycle", vehicle_plate="B 4999 NYZ")
        _decide(user, Approval.PENDING)


def staff_account() -> tuple[str, str]:
    """Return the number of the town's member of staff and a new password, which is good until the next start."""
    password = secrets.token_urlsafe(9)
    user, _ = User.objects.get_or_create(msisdn=STAFF_NUMBER, defaults={"full_name": "Staff of the town"})
    user.is_staff = user.is_superuser = True
    user.set_password(password)
    user.save()
    return STAFF_NUMBER, password


def _decide(driver: User, approval: Approval) -> None:
    driver.driver.approval = approval
    driver.driver.save(update_fields=["approval"])


async def _hang_up(person: Person) -> None:
    try:
        async with asyncio.timeout(1):
            await person.phone.aclose()
    except FAILURES:
        pass
