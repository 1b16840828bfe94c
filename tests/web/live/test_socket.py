"""The handshake of the live map, and what comes over its socket."""

import asyncio
from typing import Any

import pytest
from django.contrib.sessions.backends.db import SessionStore

from common.threads import in_write_thread
from realtime.server.background import Background
from rides.services.rides import ride_start
from tests.cast import MONAS, book, make_driver, north_of, propose, see, stand_by
from tests.realtime.phone import Headers, Phone, refused
from tests.web.live.watcher import HOST, ORIGIN, Watcher, headers_of, logged_in
from users.models import User
from web.live.feed import feed
from web.live.socket import is_own_origin

pytestmark = pytest.mark.django_db(transaction=True)
NOT_STAFF = (403, {"code": "UNAUTHORIZED", "message": "Authentication required"})
NOT_OURS = (403, {"code": "UNAUTHORIZED", "message": "Origin not allowed"})


async def session_of(user: User) -> str:
    return await in_write_thread(logged_in, user)


async def refused_viewer(headers: Headers) -> tuple[int, Any]:
    return await refused(headers, "/live/ws/")


async def test_only_staff_gets_in(tono: User) -> None:
    assert await refused_viewer(headers_of(None)) == NOT_STAFF
    assert await refused_viewer(headers_of("nonsense")) == NOT_STAFF
    assert await refused_viewer(headers_of(await session_of(tono))) == NOT_STAFF


@pytest.mark.parametrize("origin", [None, "https://evil.example.com", f"http://{HOST}:8001", "null", f"{ORIGIN}.evil"])
async def test_only_pages_of_the_site_itself_get_in(rina: User, origin: str | None) -> None:
    assert await refused_viewer(headers_of(await session_of(rina), origin)) == NOT_OURS


async def test_an_origin_that_apps_may_use_is_no_page_of_the_site(rina: User, settings: Any) -> None:
    settings.WS_ALLOWED_ORIGINS = ["https://app.example.com"]
    assert await refused_viewer(headers_of(await session_of(rina), "https://app.example.com")) == NOT_OURS


@pytest.mark.parametrize(
    ("origins", "hosts", "is_ours"),
    [
        (["https://ride.example.com"], ["ride.example.com"], True),
        (["https://ride.example.com:8443"], ["ride.example.com:8443"], True),
        (["https://RIDE.example.com"], ["ride.example.com"], True),
        (["http://[::1]:8000"], ["[::1]:8000"], True),
        (["https://trusted.example.com"], ["10.0.0.1:8000"], True),
        (["https://other.example.com"], ["other.example.com"], False),
        (["https://ride.example.com"], ["other.example.com"], False),
        (["https://ride.example.com"] * 2, ["ride.example.com"], False),
        (["https://ride.example.com"], [], False),
        (["http://[::1"], ["[::1"], False),
        (["file://ride.example.com"], ["ride.example.com"], False),
    ],
)
def test_the_origin_is_the_host_that_was_asked_or_a_trusted_one(
    settings: Any, origins: list[str], hosts: list[str], is_ours: bool
) -> None:
    settings.ALLOWED_HOSTS = ["ride.example.com", "[::1]"]
    settings.CSRF_TRUSTED_ORIGINS = ["https://trusted.example.com"]
    assert is_own_origin(origins, hosts) is is_ours


async def test_a_real_ride_is_seen_with_all_its_parts(
    background: Background, settings: Any, rina: User, dewi: User, putri: User
) -> None:
    settings.RIDES_MAX_SPEED_KMH = 0
    async with Watcher(await session_of(rina)) as rina_sees:
        driver, passenger = await Phone.of(dewi), await Phone.of(putri)
        await driver.do("location_update", "here", latitude=MONAS.latitude, longitude=MONAS.longitude)
        await driver.do("beacon_update", "beacon_update", is_active=True)
        town = await rina_sees.until(lambda town: town["drivers"].get(str(dewi.pk), {}).get("state") == "free")
        assert town["drivers"].keys() == {str(dewi.pk)}
        place = {"latitude": MONAS.latitude, "longitude": MONAS.longitude}
        await passenger.do("finder_update", "finder_update", is_active=True, location=place, target_location=place)
        await rina_sees.until(lambda town: town["searches"])
        match_id = (await driver.next("match_proposal"))["data"]["match_id"]
        await rina_sees.until(lambda town: town["drivers"][str(dewi.pk)]["state"] == "asked")
        for phone in (driver, passenger):
            await phone.do("match_confirm", "match_confirm", match_id=match_id, accepted=True)
        ride_id = (await driver.next("ride_pickup"))["data"]["ride_id"]
        await rina_sees.until(lambda town: town["drivers"][str(dewi.pk)]["state"] == "pickup")
        await driver.do("ride_start", "ride_start", ride_id=ride_id)
        there = north_of(MONAS, 30)
        await driver.say("location_update", latitude=there.latitude, longitude=there.longitude)
        town = await rina_sees.until(lambda town: len(town["tracks"].get(ride_id, ())) == 2)
        assert (town["rides"][ride_id]["name"], town["rides"][ride_id]["state"]) == ("Dewi", "riding")
        assert town["rides"][ride_id]["passenger_name"] == "Putri"
        assert town["searches"] == {}
        assert town["figures"]["connections"] == {"passenger": 1, "driver": 1}
        assert town["figures"]["day"] == {"ONGOING": 1}
        await driver.do("ride_arrived", "ride_arrived", ride_id=ride_id)
        await rina_sees.until(lambda town: not town["rides"])
        for phone in (driver, passenger):
            await phone.hang_up()


async def test_a_viewer_who_comes_later_gets_all_of_it_and_both_see_the_same(rina: User, dewi: User) -> None:
    await in_write_thread(stand_by, dewi)
    key = await session_of(rina)
    async with Watcher(key) as first:
        await first.until(lambda town: town["drivers"])
        async with Watcher(key) as second:
            assert (await second.look())["type"] == "snapshot"
            see(dewi, north_of(MONAS, 500))
            moved = [round(north_of(MONAS, 500).latitude, 5), MONAS.longitude]
            for viewer in (first, second):
                await viewer.until(lambda town: town["drivers"][str(dewi.pk)]["place"] == moved)


async def test_a_slow_viewer_gets_no_frame_until_the_last_is_drawn_and_then_the_latest(rina: User, dewi: User) -> None:
    await in_write_thread(stand_by, dewi)
    key = await session_of(rina)
    async with Watcher(key) as slow, Watcher(key) as quick:
        first = await slow.next()
        for metres in (100, 200, 300):
            see(dewi, north_of(MONAS, metres))
            here = round(north_of(MONAS, metres).latitude, 5)
            await quick.until(lambda town: town["drivers"][str(dewi.pk)]["place"][0] == here)  # noqa: B023
        assert await slow.hears_nothing(0.1)
        await slow.drawn()
        frame = await slow.next()
        assert frame["type"] == "delta"
        assert frame["data"]["number"] > first["data"]["number"] + 1
        assert frame["data"]["drivers"]["set"][0]["place"] == [here, MONAS.longitude]


@pytest.mark.parametrize("change", [{"is_staff": False}, {"is_active": False}])
async def test_who_is_staff_no_longer_is_sent_away_while_he_looks(rina: User, change: dict[str, bool]) -> None:
    async with Watcher(await session_of(rina)) as viewer:
        await viewer.look()
        await in_write_thread(User.objects.filter(pk=rina.pk).update, **change)
        assert await viewer.closed_with() == 4401


async def test_who_logs_out_is_sent_away_even_if_he_draws_nothing_and_the_others_stay(rina: User) -> None:
    gone, stays = await session_of(rina), await session_of(rina)
    async with Watcher(gone) as leaver, Watcher(stays) as stayer:
        await leaver.next()
        await in_write_thread(SessionStore(gone).flush)
        assert await leaver.closed_with() == 4401
        number = (await stayer.look())["data"]["number"]
        while (await stayer.look())["data"]["number"] < number + 5:
            pass


async def test_nothing_is_looked_at_when_nobody_looks(rina: User) -> None:
    key = await session_of(rina)
    for _ in range(2):
        async with Watcher(key) as viewer:
            assert (await viewer.look())["type"] == "snapshot"
            assert feed().is_running
        assert not feed().is_running


async def test_a_viewer_who_vanishes_leaves_nothing_behind(rina: User) -> None:
    viewer = Watcher(await session_of(rina))
    await viewer.__aenter__()
    viewer.socket.future.cancel()
    await asyncio.wait({viewer.socket.future})
    assert not feed().is_running


async def test_a_town_is_shown_whoever_does_what_meanwhile(rina: User, joko: User, sari: User) -> None:
    drivers = [await in_write_thread(make_driver, f"+62812000003{n}", f"Driver {n}") for n in range(5)]
    async with Watcher(await session_of(rina)) as viewer:
        await viewer.look()
        for driver in drivers:
            await in_write_thread(stand_by, driver, north_of(MONAS, 500))
        await in_write_thread(propose, joko, sari)  # the nearest
        await viewer.until(lambda town: len(town["drivers"]) == 6 and len(town["searches"]) == 1)


async def test_two_rides_are_told_apart(rina: User, dewi: User, putri: User, joko: User, sari: User) -> None:
    waiting = await in_write_thread(book, dewi, putri)
    driven = await in_write_thread(book, joko, sari)
    await in_write_thread(ride_start, user_id=joko.pk, ride_id=driven.pk)
    async with Watcher(await session_of(rina)) as viewer:
        town = await viewer.until(lambda town: len(town["rides"]) == 2)
        assert town["rides"][str(waiting.pk)]["state"] == "pickup"
        assert town["rides"][str(driven.pk)]["state"] == "riding"
