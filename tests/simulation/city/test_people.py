"""The people of the city, with phones whose commands are only noted."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest

from nebengjek_client import ConnectFailed, Data, Frame, Tokens, ValidationFailed
from rides.geo import GeoPoint, distance_km
from simulation.city import people
from simulation.city.moods import Mood
from simulation.city.people import CityDriver, CityPassenger, Equipment
from simulation.city.streets import Streets
from simulation.people import Habits, as_data
from tests.cast import MONAS

STREETS = Streets.generated(MONAS, blocks=6, seed=2)
HERE, THERE = (0, 0), (5, 4)
MATCH = {"match_id": "m", "location": as_data(STREETS.place(HERE)), "target_location": as_data(STREETS.place(THERE))}
RIDE = {"ride_id": "r", **MATCH}


class Air:
    """A network that only counts."""

    url = "http://nowhere"

    def __init__(self) -> None:
        self.cuts = self.naps = 0

    def cut(self, _seconds: float) -> None:
        self.cuts += 1

    def sleep(self, _seconds: float) -> None:
        self.naps += 1


class OneMood:
    """Always in these moods, the last of them for ever."""

    def __init__(self, *moods: Mood) -> None:
        self._moods = [*moods]

    def next(self) -> Mood:
        return self._moods.pop(0) if len(self._moods) > 1 else self._moods[0]


class Phone:
    """Notes what it is told to send; `refuses` are errors by command."""

    def __init__(self, person: Any) -> None:
        self.sent: list[tuple[str, Data]] = []
        self.refuses: dict[str, Exception] = {}
        self.state: dict[str, Any] = {"ride": None, "finder": None, "payment": None}
        self.is_over = False
        self.now = person.phone.now
        self._person = person

    def __getattr__(self, kind: str) -> Any:
        async def send(**data: Any) -> Data:
            if kind in self.refuses:
                raise self.refuses.pop(kind)
            self.sent.append((kind, data))
            return {}

        return send

    @property
    def commands(self) -> list[str]:
        return [kind for kind, _ in self.sent if kind != "location_update"]


def equip(*moods: Mood, log: Any = None) -> Equipment:
    network: Any = Air()
    plan: Any = OneMood(*moods)
    return Equipment(
        streets=STREETS, network=network, moods=plan, log=log or (lambda *_: None),
        habits=Habits(center=MONAS, speed=30_000, report_interval=0.001, idle_interval=0.01, patience=2),
    )  # fmt: skip


def driver(*moods: Mood, log: Any = None) -> Any:
    person: Any = CityDriver("Dewi", Tokens("", ""), random.Random(1), equip(*moods, log=log))
    person.place = STREETS.place(HERE)
    person.phone = Phone(person)
    person._begun = True
    return person


def passenger(*moods: Mood) -> Any:
    person: Any = CityPassenger("Putri", Tokens("", ""), random.Random(1), equip(*moods))
    person.phone = Phone(person)
    person._begun = True
    return person


def hear(person: Any, *frames: tuple[str, Data]) -> None:
    for seq, (kind, data) in enumerate(frames, 1):
        person._hear(Frame(kind, data, seq))


def road_km() -> float:
    return STREETS.length_km(STREETS.way(HERE, THERE))


OFFERED: list[tuple[str, Data]] = [
    ("match_proposal", {"match_id": "m"}),
    ("match_confirm", MATCH),
    ("ride_pickup", {"ride_id": "r"}),
]


async def test_a_driver_takes_a_passenger() -> None:
    """An accepted offer becomes a ride, which is as long as its road."""
    dewi = driver(Mood.PLAIN)
    hear(dewi, *OFFERED)
    await dewi._take_one()
    assert dewi.phone.commands == ["match_confirm", "ride_start", "ride_arrived"]
    assert dewi.driven["r"].km == pytest.approx(road_km())
    assert road_km() * 0.7 < dewi.driven["r"].line_km <= road_km() + 1e-9  # some fixes never come
    assert distance_km(dewi.place, STREETS.place(THERE)) == 0


@pytest.mark.parametrize(
    ("mood", "accepted"), [(Mood.PLAIN, [True]), (Mood.DECLINES, [False]), (Mood.IGNORES, [])], ids=str
)
async def test_offers_and_moods(mood: Mood, accepted: list[bool]) -> None:
    """An offer is accepted, declined or ignored; who is switched off for that switches on again."""
    dewi = driver(mood)
    hear(dewi, OFFERED[0], ("beacon_update", {"is_active": False}), *OFFERED[1:])
    assert (await dewi._wait_for_pickup())["match"]["match_id"] == "m"
    answers = [data["accepted"] for kind, data in dewi.phone.sent if kind == "match_confirm"]
    assert answers == accepted
    assert dewi.phone.commands[-1] == "beacon_update"


async def test_a_ride_goes_on_where_it_was_interrupted() -> None:
    """A driver who lost the state on the way drives on, and every metre counts once."""
    dewi = driver(Mood.PLAIN)
    steps = 0

    async def report(**_: Any) -> None:
        nonlocal steps
        steps += 1
        if steps == 8:
            raise ConnectionError

    dewi._report = report
    with pytest.raises(ConnectionError):
        await dewi._carry("r", STREETS.place(THERE))
    assert 0 < dewi.driven["r"].km < road_km()
    there, driven = dewi.place, dewi.driven["r"].km
    corner = STREETS.nearest(there)
    dewi.phone.state["ride"] = {**RIDE, "status": "ONGOING"}
    await dewi.finish()
    rest = distance_km(there, STREETS.place(corner)) + STREETS.length_km(STREETS.way(corner, THERE))
    assert dewi.driven["r"].km == pytest.approx(driven + rest)
    assert dewi.phone.commands == ["ride_arrived"]


@pytest.mark.parametrize(
    ("status", "commands"),
    [("PICKUP", ["ride_start", "ride_arrived"]), ("ONGOING", ["ride_arrived"]), ("ARRIVED", [])],
)
async def test_rides_that_were_left_over(status: str, commands: list[str]) -> None:
    """What an earlier life has left is brought to its end; that it has one already is no error."""
    dewi = driver(Mood.PLAIN)
    dewi.phone.state["ride"] = {**RIDE, "status": status}
    await dewi.finish()
    assert dewi.phone.commands == commands
    dewi.phone.refuses["ride_arrived"] = ValidationFailed("VALIDATION_FAILED", "The ride is COMPLETED")
    await dewi.finish()


async def test_a_ride_called_off_on_the_way() -> None:
    """The driver stops at a crossing, and is free for the next passenger."""
    dewi = driver(Mood.PLAIN)
    hear(dewi, *OFFERED, ("ride_cancelled", {"ride_id": "r", "cancelled_by": "passenger"}))
    await dewi._take_one()
    assert dewi.phone.commands == ["match_confirm"]
    assert dewi.place in [STREETS.place(node) for node in STREETS.graph]


async def test_a_driver_who_cheats(monkeypatch: pytest.MonkeyPatch) -> None:
    """At the pace of life some positions are far off and all are fast; faster than that nobody cheats."""
    fast = driver(Mood.CHEATS)
    hear(fast, *OFFERED)
    await fast._take_one()
    assert not fast.driven["r"].cheated
    monkeypatch.setattr(people, "PACE_OF_CHEATS", 50_000)
    monkeypatch.setattr(people, "LIES_TOGETHER", 3)
    dewi = driver(Mood.CHEATS)
    hear(dewi, *OFFERED)
    await dewi._take_one()
    told = [data for kind, data in dewi.phone.sent if kind == "location_update" and "speed" in data]
    off = [distance_km(STREETS.place(HERE), GeoPoint(data["latitude"], data["longitude"])) for data in told]
    assert len(told) > 6
    assert max(off) - min(off) > road_km()
    assert dewi.driven["r"].cheated
    assert dewi.driven["r"].km == pytest.approx(road_km())


async def test_cash_is_taken() -> None:
    """A driver whose passenger refuses to pay by phone takes cash."""
    dewi = driver(Mood.PLAIN)
    hear(dewi, ("payment_process", {"ride_id": "r", "status": "REJECTED", "total_cost": 7000}))
    await asyncio.gather(*dewi._errands)
    assert dewi.phone.sent == [("payment_received", {"ride_id": "r", "total_cost": 7000})]


@pytest.mark.parametrize(("mood", "counts"), [(Mood.VANISHES, (1, 0)), (Mood.DOZES, (0, 1)), (Mood.PLAIN, (0, 0))])
async def test_unreachable_phones(mood: Mood, counts: tuple[int, int]) -> None:
    """Who vanishes loses the network; who dozes keeps the connection, and the record says since when."""
    marks: list[str] = []
    dewi = driver(mood, log=lambda _name, direction, frame: marks.append(f"{direction} {frame['type']}"))
    dewi.be_unreachable(mood)
    await asyncio.sleep(0.02)
    assert (dewi.network.cuts, dewi.network.naps) == counts
    assert marks == ["-- asleep"] * counts[1]


RIDDEN: list[tuple[str, Data]] = [
    ("ride_pickup", {"ride_id": "r"}),
    ("payment_process", {"ride_id": "r", "total_cost": 7000}),
]
PAID = ("ride_completed", {"ride": {"ride_id": "r"}})


async def test_a_passenger_moves_the_pin() -> None:
    """The search goes on from another place, to the same target."""
    putri = passenger(Mood.MOVES_PIN)
    hear(putri, *RIDDEN, PAID)
    await putri.ride()
    (_, first), (_, second), (kind, _) = putri.phone.sent
    assert kind == "payment_process"
    assert first["location"] != second["location"]
    assert first["target_location"] == second["target_location"]


@pytest.mark.parametrize(
    ("mood", "frames", "commands"),
    [
        (Mood.PLAIN, [*RIDDEN, PAID], ["finder_update", "payment_process"]),
        (
            Mood.CANCELS,
            [RIDDEN[0], ("ride_cancelled", {"ride_id": "r", "cancelled_by": "passenger"})],
            ["finder_update", "ride_cancel"],
        ),
        (Mood.REFUSES_TO_PAY, [*RIDDEN], ["finder_update", "payment_process", "payment_process"]),
    ],
    ids=["plain", "cancels", "refuses"],
)
async def test_rides_and_moods(
    monkeypatch: pytest.MonkeyPatch, mood: Mood, frames: list[tuple[str, Data]], commands: list[str]
) -> None:
    """A ride is paid, called off, or paid at the second time of asking where no driver takes cash."""
    monkeypatch.setattr(people, "CASH_PATIENCE", 0.01)
    putri = passenger(mood)
    hear(putri, *frames)
    asyncio.get_running_loop().call_later(0.3, hear, putri, PAID)
    await putri.take_ride()
    assert putri.phone.commands == commands
    assert putri.mishaps == []


async def test_a_passenger_who_missed_something_pays_all_the_same() -> None:
    """After a mishap the state is asked for, and what is due is paid, through further mishaps."""
    putri = passenger(Mood.PLAIN)
    hear(putri, RIDDEN[0], ("session_ready", {"recovered": False}))
    putri.phone.state |= {"ride": {**RIDE, "status": "ARRIVED"}, "payment": {"ride_id": "r", "total_cost": 7000}}
    putri.phone.refuses["payment_process"] = ConnectFailed("Nobody is there.")
    await putri.take_ride()
    assert [kind for kind in putri.phone.commands if kind != "sync"] == ["finder_update", "payment_process"]
    assert putri.mishaps == ["Putri: Putri has missed something", "Putri: Nobody is there."]
    assert putri.inbox.empty()


@pytest.fixture
def new_phones(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Phones that are bought from now on."""
    bought: list[Any] = []

    class Bought:
        def __init__(self, name: str, url: str, tokens: Tokens, _log: Any) -> None:
            self.facts = (name, url, tokens)
            bought.append(self)

        def on(self, _kind: str, _callback: Any) -> None: ...

        async def connect(self) -> None: ...

    monkeypatch.setattr(people, "Phone", Bought)
    return bought


async def test_a_phone_that_is_over_is_replaced(new_phones: list[Any]) -> None:
    """Who was thrown out opens the app again, as the same person; the record has a mark between the two."""
    marks: list[str] = []
    dewi = driver(Mood.PLAIN, log=lambda _name, _direction, frame: marks.append(frame["type"]))
    dewi.phone.is_over, dewi.phone.access, dewi.phone.refresh = True, "a", "r"
    hear(dewi, ("closed", {"code": 4409, "reason": "x"}))
    await dewi.start_over(ConnectFailed("x"))
    assert [phone.facts for phone in new_phones] == [("Dewi", Air.url, Tokens("a", "r"))]
    assert marks == ["closed", "new phone"]
    assert dewi.inbox.empty()


def test_places_are_on_the_map() -> None:
    """A wish is a ride of the usual length between two places near crossings."""
    putri = passenger(Mood.PLAIN)
    for _ in range(20):
        here, there = putri._wish()
        for place in (here, there):
            crossing = STREETS.place(STREETS.nearest(place))
            assert distance_km(place, crossing) < 0.05
