"""The JavaScript client, in a real browser and on a real server."""

from __future__ import annotations

import itertools
import json
import math
import sqlite3
import time
import uuid
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import jwt
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from playwright.sync_api import Page

from devservers.web import ServerProcess
from nebengjek.settings import DEVELOPMENT_SECRET
from tests.browser.conftest import OpenPage
from tests.e2e.conftest import StartServer, servers_on
from tests.users.test_names import SCRIPTS

pytestmark = pytest.mark.e2e

HELPERS = """
    const { Client, Rest, ...errors } = await import("/static/web/nebengjek.js");
    const { Network } = await import("/static/web/demo/network.js");
    const { freshNumber } = await import("/static/web/demo/memory.js");
    const url = location.origin;
    const area = globalThis.area ?? 0;
    const HERE = { latitude: -6.1754, longitude: 106.8272 + area };
    const THERE = { latitude: -6.2, longitude: 106.83 + area };
    const WISH = { is_active: true, location: HERE, target_location: THERE };
    const sleep = (seconds) => new Promise((resolve) => setTimeout(resolve, seconds * 1000));

    async function logIn(role = "passenger") {
        const rest = new Rest(url);
        const msisdn = freshNumber();
        await rest.requestCode(msisdn);
        const { code } = await rest.call("GET", `/demo/codes/${encodeURIComponent(msisdn)}/`);
        const session = await rest.logIn(msisdn, code);
        return role === "driver" ? rest.registerDriver("car", "B 1 JS") : session;
    }

    function makeClient(session, options = {}) {
        const network = new Network();
        const sent = [], got = [], heard = [], receipts = [];
        const client = new Client(url, {
            access: session.access, refresh: session.refresh, openTimeout: null,
            makeSocket: network.makeSocket, fetch: network.fetch,
            onFrame: (way, text) => {
                const frame = JSON.parse(text);
                (frame.type === "received" ? receipts : way === "->" ? sent : got).push(frame);
                options.onFrame?.(way, JSON.parse(text), network);
            },
            ...(options.onTokens ? { onTokens: options.onTokens } : {}),
        });
        client.on("*", (frame) => heard.push(frame));
        return { client, network, sent, got, heard, receipts };
    }

    async function until(condition, seconds = 30) {
        for (const end = Date.now() + seconds * 1000; !condition();) {
            if (Date.now() > end) throw new Error(`not within ${seconds} s: ${condition}`);
            await sleep(0.02);
        }
    }

    const seqs = (frames) => frames.filter((frame) => frame.seq !== undefined).map((frame) => frame.seq);
    const refusal = (promise) => promise.then(() => null, (error) => ({ ...error, name: error.name }));
"""


areas = itertools.count(0.5, 0.5)
"""Degrees of longitude, so that nobody meets the people whom another test has left on the server."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, template_database: Path) -> Iterator[ServerProcess]:
    """A server that shows codes, and keeps to the limits of commands, but lets people search as often as they like."""
    for start in servers_on(tmp_path_factory.mktemp("server"), template_database):
        yield start(DEMO="true", WS_COMMAND_RATE="10", SEARCH_FREE_CANCELS="0")


@pytest.fixture
def page(server: ServerProcess, open_page: OpenPage) -> Page:
    """A page of the server that does nothing by itself, in an area of its own."""
    page = open_page(f"{server.url}/")
    page.evaluate("area => { globalThis.area = area; }", next(areas))
    return page


def run(page: Page, script: str, argument: Any = None) -> Any:
    """Run some JavaScript with the helpers, and return what it returns."""
    return page.evaluate(f"async (argument) => {{ {HELPERS}\n{script} }}", argument)


def searches(server: ServerProcess, passenger: str) -> int:
    """Return how many searches of a passenger the server's database has."""
    query = "SELECT count(*) FROM rides_finder WHERE passenger_id = ?"
    with closing(sqlite3.connect(server.database)) as database:
        ((count,),) = database.execute(query, [uuid.UUID(passenger).hex]).fetchall()
    return int(count)


def test_it_confirms_what_has_come(page: Page) -> None:
    """Offers at once, the rest together and within a second; without an id, and again after coming back."""
    found = run(
        page,
        """
        const driver = makeClient(await logIn("driver")), passenger = makeClient(await logIn());
        await Promise.all([driver.client.connect(), passenger.client.connect()]);
        // timers come in the order in which they are due, however busy the machine is
        let withinASecond, atOnce;
        driver.client.on("beacon_update", () => setTimeout(() => { withinASecond = driver.receipts.length; }, 1000));
        driver.client.on("match_proposal", () => setTimeout(() => { atOnce = driver.receipts.length; }));
        await driver.client.beaconUpdate({ is_active: true, ...HERE });
        await until(() => withinASecond !== undefined);
        await passenger.client.finderUpdate(WISH);
        await until(() => atOnce !== undefined);
        await sleep(1.2);
        const [before, offer] = [driver.receipts.length, seqs(driver.got).at(-1)];
        driver.network.cut();
        await until(() => !driver.client.connected);
        driver.network.mend();
        driver.client.retryNow();
        await until(() => driver.receipts.length === 3);
        return {
            withinASecond, atOnce, before, offer,
            receipts: driver.receipts, passenger: passenger.receipts.at(-1).data.seq,
            last: seqs(passenger.got).at(-1), errors: driver.got.filter((frame) => frame.type === "error"),
        };
        """,
    )
    assert (found["withinASecond"], found["atOnce"]) == (1, 2)
    assert (found["before"], found["errors"]) == (2, [])
    assert [frame["data"]["seq"] for frame in found["receipts"][1:]] == [found["offer"]] * 2
    assert {tuple(frame) for frame in found["receipts"]} == {("type", "data")}
    assert found["passenger"] == found["last"]


def test_its_state_equals_the_servers(page: Page) -> None:
    """After each frame the state that the client keeps equals the one that the server would send."""
    differences = run(
        page,
        """
        const driver = makeClient(await logIn("driver")).client, passenger = makeClient(await logIn()).client;
        await Promise.all([driver.connect(), passenger.connect()]);
        const differences = [];
        const inOrder = (value) => Array.isArray(value) ? value.map(inOrder) : value && typeof value === "object"
            ? Object.fromEntries(Object.keys(value).sort().map((key) => [key, inOrder(value[key])])) : value;
        const picture = ({ state }) =>
            JSON.stringify(inOrder({ ...state, allowed_actions: state.allowed_actions.toSorted() }));
        async function compare(step) {
            await sleep(0.4);
            for (const client of [driver, passenger]) {
                const kept = picture(client);
                await client.sync();
                const told = picture(client);
                if (kept !== told) differences.push([step, client.role, kept, told]);
            }
        }
        async function meet() {
            await passenger.finderUpdate(WISH);
            await compare("proposed");
            await driver.matchConfirm({ match_id: driver.state.proposals[0].match_id, accepted: true });
            await compare("confirmed");
            await passenger.matchConfirm({ match_id: passenger.state.proposals[0].match_id, accepted: true });
            await compare("booked");
        }
        await driver.beaconUpdate({ is_active: true, ...HERE });
        await compare("online");
        await meet();
        await passenger.rideCancel({ ride_id: passenger.state.ride.ride_id });
        await compare("cancelled");
        await passenger.finderUpdate(WISH);
        await compare("searching");
        await driver.matchConfirm({ match_id: driver.state.proposals[0].match_id, accepted: false });
        await compare("declined");
        await passenger.finderUpdate({ is_active: false });
        await compare("not searching");
        await meet();
        await driver.rideStart({ ride_id: driver.state.ride.ride_id });
        await compare("started");
        await sleep(1.1);
        await driver.locationUpdate({ latitude: HERE.latitude - 0.0003, longitude: HERE.longitude });
        await driver.rideArrived({ ride_id: driver.state.ride.ride_id, adjustment_factor: 0.5 });
        await compare("arrived");
        const { ride_id, total_cost } = passenger.state.payment;
        await passenger.paymentProcess({ ride_id, total_cost, status: "REJECTED" });
        await compare("refused");
        await passenger.paymentProcess({ ride_id, total_cost });
        await compare("paid");
        await driver.beaconUpdate({ is_active: false });
        await compare("offline");
        if (passenger.state.last_ride.status !== "COMPLETED") differences.push("not completed");
        return differences;
        """,
    )
    assert differences == []


def test_offline_commands_wait_in_order(page: Page, server: ServerProcess) -> None:
    """Commands given offline are sent once each and in order when the network is back."""
    passenger, here, sent = run(
        page,
        """
        const { client, network, sent } = makeClient(await logIn());
        await client.connect();
        network.cut();
        const answers = [true, false, true].map((on) => client.finderUpdate(on ? WISH : { is_active: false }));
        answers.push(client.locationUpdate(THERE), client.locationUpdate(HERE));
        answers.push(client.finderUpdate({ is_active: false }));
        await sleep(0.5);
        if (sent.length) throw new Error("sent without a network");
        network.mend();
        client.retryNow();
        await Promise.all(answers);
        return [client.session.user_id, HERE, sent.filter((frame) => frame.type !== "sync")];
        """,
    )
    assert [frame["type"] for frame in sent] == ["finder_update"] * 3 + ["location_update", "finder_update"]
    assert [frame["data"].get("is_active") for frame in sent] == [True, False, True, None, False]
    assert sent[3]["data"] == here
    assert len({frame["id"] for frame in sent if "id" in frame}) == 4
    assert searches(server, passenger) == 2


def test_a_tunnel_is_paid(start_server: StartServer, open_page: OpenPage) -> None:
    """Positions collected offline count for the fare."""
    server = start_server(DEMO="true", TRACK_FLUSH_INTERVAL="60s")  # so nothing is booked that nobody asks for
    page = open_page(f"{server.url}/", patient=True)
    run(
        page,
        """
        const passenger = makeClient(await logIn()).client;
        const made = makeClient(await logIn("driver"));
        const driver = made.client;
        for (const client of [passenger, driver]) await client.connect();
        const proposed = driver.waitFor("match_proposal");
        const pickedUp = driver.waitFor("ride_pickup");
        await driver.beaconUpdate({ is_active: true, ...HERE });
        await passenger.finderUpdate(WISH);
        const { match_id } = (await proposed).data;
        for (const client of [driver, passenger]) await client.matchConfirm({ match_id, accepted: true });
        const { ride_id } = (await pickedUp).data;
        await driver.rideStart({ ride_id });
        const begun = Date.now();
        const drive = async (first, last, { later = 0, east = 0 } = {}) => {
            for (let step = first; step <= last; step += 1) {
                await sleep(0.05);
                const [latitude, longitude] = [HERE.latitude - step * 0.0001, HERE.longitude + east];
                const timestamp = new Date(begun + (step + later) * 1000).toISOString();
                await driver.locationUpdate({ latitude, longitude, timestamp, accuracy: 5 });
            }
        };
        await drive(1, 10);
        made.network.cut();
        await drive(11, 20);
        await drive(20, 20, { later: 10, east: 0.0005 });  // a way that a straight line past the tunnel would miss
        await drive(20, 25, { later: 20 });
        made.network.mend();
        driver.retryNow();
        await until(() => made.sent.at(-1).data.latitude === HERE.latitude - 25 * 0.0001);
        Object.assign(window, { made, driver, ride_id, drive });
        """,
    )
    port = server.url.rsplit(":", 1)[1]
    server.kill()  # what it was told since the tunnel is in no database
    run(page, "await until(() => !driver.connected); await drive(26, 30, { later: 20 });")
    start_server("manage.py", "serve", "--port", port, DEMO="true", TRACK_FLUSH_INTERVAL="60s")
    result = run(
        page,
        """
        await driver.rideArrived({ ride_id });
        const { distance_km } = await driver.rest.ride(ride_id);
        const { count: places } = await driver.rest.track(ride_id);
        const sent = made.sent.length;
        made.network.cut();
        made.network.mend();
        driver.retryNow();
        await until(() => made.heard.filter((frame) => frame.type === "session_ready").length === 4);
        await driver.sync();
        return { distance_km, places, again: made.sent.slice(sent).map((frame) => frame.type) };
        """,
    )
    step = 0.0001 * math.radians(1) * 6371.0088
    aside = 2 * 5 * step * math.cos(math.radians(-6.1774))
    assert result["distance_km"] == pytest.approx(30 * step + aside, abs=1e-5)
    assert result["places"] >= 33
    assert set(result["again"]) == {"sync"}


def test_positions_are_confirmed(server: ServerProcess, open_page: OpenPage) -> None:
    """The client asks for an answer to a position now and then."""
    frames = run(
        open_page(f"{server.url}/"),
        """
        const { client, sent, got } = makeClient(await logIn("driver"));
        await client.connect();
        const positions = () => sent.filter((frame) => frame.type === "location_update");
        for (const end = Date.now() + 30000; Date.now() < end && !got.some((frame) => frame.type === "ack");) {
            await client.locationUpdate(HERE);
            await sleep(0.5);
        }
        return positions();
        """,
    )
    assert [("id" in frame) for frame in frames] == [False] * (len(frames) - 1) + [True]
    assert len(frames) > 5
    moments = [frame["data"]["timestamp"] for frame in frames]
    assert moments == sorted(set(moments))


def test_lost_answers_are_repeated(page: Page, server: ServerProcess) -> None:
    """A command whose answer was lost is sent again and carried out once."""
    result = run(
        page,
        """
        let cuts = 0;
        const onFrame = (way, frame, network) => {
            if (way === "->" && frame.type === "finder_update" && !cuts++) setTimeout(() => network.cut());
        };
        const { client, network, sent, heard } = makeClient(await logIn(), { onFrame });
        await client.connect();
        const answer = client.finderUpdate(WISH);
        await until(() => network.isCut);
        const before = heard.filter((frame) => frame.type === "finder_update").length;
        await sleep(1);
        network.mend();
        client.retryNow();
        await answer;
        await until(() => heard.some((frame) => frame.type === "finder_update"));
        const events = heard.filter((frame) => frame.type === "finder_update");
        const ids = sent.filter((frame) => frame.type === "finder_update").map((frame) => frame.id);
        return { before, ids, events, state: client.state.finder, passenger: client.session.user_id };
        """,
    )
    assert result["before"] == 0
    assert len(result["ids"]) == 2
    assert len(set(result["ids"])) == 1
    assert [frame["resumed"] for frame in result["events"]] == [True]
    assert result["state"]["is_active"]
    assert searches(server, result["passenger"]) == 1


def test_missed_events_come_once(page: Page) -> None:
    """What was missed offline comes once and in order."""
    result = run(
        page,
        """
        const driver = makeClient(await logIn("driver")), passenger = makeClient(await logIn());
        await Promise.all([driver.client.connect(), passenger.client.connect()]);
        for (let round = 0; round < 3; round += 1) {
            driver.network.cut();
            await driver.client.waitFor("disconnected");
            const far = { latitude: -7.5, longitude: 110.5 };
            const here = driver.client.beaconUpdate({ is_active: round % 2 === 0, ...(round % 2 ? {} : HERE) });
            for (const on of [true, false, true, false]) {
                await passenger.client.finderUpdate(on ? { ...WISH, location: far } : { is_active: false });
            }
            driver.network.mend();
            driver.client.retryNow();
            await here;
        }
        await passenger.client.finderUpdate({ ...WISH, location: HERE });
        await until(() => passenger.client.state.proposals.length === 1);
        driver.network.cut();
        await passenger.client.finderUpdate({ is_active: false });
        driver.network.mend();
        driver.client.retryNow();
        await until(() => driver.heard.some((frame) => frame.type === "match_rejected"));
        await driver.client.sync();
        const sessions = driver.heard.filter((frame) => frame.type === "session_ready");
        return {
            driver: seqs(driver.heard), passenger: seqs(passenger.heard),
            resumed: driver.heard.filter((frame) => frame.resumed).map((frame) => frame.type),
            recovered: sessions.map((frame) => frame.data.recovered),
            proposals: driver.client.state.proposals,
        };
        """,
    )
    for role in ("driver", "passenger"):
        assert result[role] == list(range(1, len(result[role]) + 1))
    assert len(result["passenger"]) == 12 + 4
    assert "match_rejected" in result["resumed"]
    assert result["recovered"][1:] == [True] * (len(result["recovered"]) - 1)
    assert result["proposals"] == []


def test_a_restarted_server_is_found(start_server: StartServer, open_page: OpenPage) -> None:
    """After a restart the client reconnects and takes the new state."""
    server = start_server(DEMO="true")
    page = open_page(f"{server.url}/", patient=True)  # a browser reports every refused connection
    run(
        page,
        """
        const made = makeClient(await logIn());
        await made.client.connect();
        await made.client.finderUpdate(WISH);
        window.made = made;
        """,
    )
    port = server.url.rsplit(":", 1)[1]
    server.kill()
    run(page, "await until(() => made.heard.some((frame) => frame.type === 'disconnected'));")
    start_server("manage.py", "serve", "--port", port, DEMO="true")
    ready = run(
        page,
        """
        await until(() => made.heard.filter((frame) => frame.type === "session_ready").length === 2);
        return { recovered: made.client.session.recovered, finder: made.client.state.finder.is_active };
        """,
    )
    assert ready == {"recovered": False, "finder": True}


def test_tokens_are_renewed_in_time(start_server: StartServer, open_page: OpenPage) -> None:
    """Tokens are renewed before they end, on the open connection."""
    server = start_server(DEMO="true", JWT_EXPIRATION="1", WS_TOKEN_NOTICE="58s")
    result = run(
        open_page(f"{server.url}/"),
        """
        const session = await logIn();
        const pairs = [];
        const { client, sent, got } = makeClient(session, { onTokens: (pair) => pairs.push(pair) });
        await client.connect();
        const { connection_id } = client.session;
        await until(() => got.filter((frame) => frame.type === "ack").length === 1);
        await client.sync();
        return {
            pairs: pairs.length, isNew: pairs[0].access !== session.access, used: client.access === pairs.at(-1).access,
            types: sent.map((frame) => frame.type), same: client.session.connection_id === connection_id,
        };
        """,
    )
    assert result == {
        "pairs": 1,
        "isNew": True,
        "used": True,
        "types": ["token_refresh", "sync"],
        "same": True,
    }


@pytest.mark.parametrize("what", ["expired", "refused"])
def test_bad_tokens_are_renewed_once(server: ServerProcess, open_page: OpenPage, what: str) -> None:
    """A token that the server refuses is renewed once."""
    page = open_page(f"{server.url}/", patient=what == "refused")  # the browser complains about a 401
    session = run(page, "return await logIn();")
    claims = {"user_id": session["user"]["id"], "role": "passenger", "ver": 7 if what == "refused" else 0}
    bad = jwt.encode({**claims, "exp": time.time() + (3600 if what == "refused" else -60)}, DEVELOPMENT_SECRET, "HS256")
    result = run(
        page,
        """
        const pairs = [];
        const [access, refresh] = argument;
        const made = makeClient({ access, refresh }, { onTokens: (pair) => pairs.push(pair) });
        await made.client.connect();
        return { pairs: pairs.length, types: made.heard.map((frame) => frame.type) };
        """,
        [bad, session["refresh"]],
    )
    assert result["pairs"] == 1
    assert ("disconnected" in result["types"]) == (what == "refused")


def test_a_login_is_demanded(server: ServerProcess, open_page: OpenPage) -> None:
    """Without a valid token and refresh token the client demands a login."""
    page = open_page(f"{server.url}/", patient=True)
    result = run(
        page,
        """
        const { access, refresh } = await logIn();
        await new Rest(url).logOut(refresh);
        const made = makeClient({ access, refresh });
        const error = await refusal(made.client.connect());
        return [error.name, (await refusal(made.client.sync())).name, made.heard.at(-1).type];
        """,
    )
    assert result == ["LoginRequired", "LoginRequired", "closed"]


def test_dead_networks_are_no_refusals(page: Page) -> None:
    """A dead network is not taken for a bad token."""
    result = run(
        page,
        """
        const pairs = [];
        const { client, network, heard } = makeClient(await logIn(), { onTokens: (pair) => pairs.push(pair) });
        await client.connect();
        network.cut();
        await until(() => heard.filter((frame) => frame.type === "disconnected").length >= 3);
        const pauses = heard.filter((frame) => frame.type === "disconnected").map((frame) => frame.data.retry_in);
        network.mend();
        await until(() => client.connected);
        return { pairs: pairs.length, pauses };
        """,
    )
    assert result["pairs"] == 0
    assert all(0 < pause <= 2 for pause in result["pauses"])


def test_replaced_clients_stay_away(page: Page) -> None:
    """A client that was replaced does not reconnect."""
    result = run(
        page,
        """
        const session = await logIn();
        const first = makeClient(session), second = makeClient(session);
        await first.client.connect();
        await second.client.connect();
        await until(() => first.heard.at(-1).type === "closed");
        await sleep(2);
        const waiting = await refusal(first.client.finderUpdate(WISH));
        return [waiting.name, first.client.connected, second.client.connected,
            second.heard.filter((frame) => frame.type === "disconnected").length];
        """,
    )
    assert result == ["Replaced", False, True, 0]


def test_refusals_name_the_field(server: ServerProcess, open_page: OpenPage) -> None:
    """Refusals have a class of their own and name the field."""
    page = open_page(f"{server.url}/", patient=True)  # the browser complains about the 404
    result = run(
        page,
        """
        const { client } = makeClient(await logIn());
        await client.connect();
        const outcomes = [
            await refusal(client.finderUpdate({ ...WISH, location: { latitude: 91, longitude: 0 } })),
            await refusal(client.beaconUpdate({ is_active: true, ...HERE })),
            await refusal(client.command("no_such_thing", {})),
            await refusal(client.rideCancel({ ride_id: crypto.randomUUID(), reason: "x".repeat(600) })),
            await refusal(client.rest.ride(crypto.randomUUID())),
        ];
        client.close();
        outcomes.push(await refusal(client.sync()));
        return outcomes.map(({ name, code, reason, field, status }) => [name, code, reason, field, status]);
        """,
    )
    assert result == [
        ["ValidationFailed", "VALIDATION_FAILED", "invalid_field", "location.latitude", None],
        ["Unauthorized", "UNAUTHORIZED", "unauthorized", None, None],
        ["InvalidFormat", "INVALID_FORMAT", "unknown_type", "type", None],
        ["CommandTooLarge", None, None, None, None],
        ["ValidationFailed", "VALIDATION_FAILED", "not_found", None, 404],
        ["ClientClosed", None, None, None, None],
    ]


def test_rate_limited_commands_are_repeated(page: Page, server: ServerProcess) -> None:
    """Commands over the limit are sent again after `retry_after`."""
    result = run(
        page,
        """
        const { client, got } = makeClient(await logIn());
        await client.connect();
        await Promise.all(Array.from({ length: 60 }, () => client.sync()));
        return got.filter((frame) => frame.type === "error").map((frame) => frame.data.code);
        """,
    )
    assert set(result) == {"RATE_LIMIT"}


def test_the_queue_is_bounded(page: Page) -> None:
    """The queue is bounded in number and age, commands can be withdrawn, and one that cannot be read fails alone."""
    result = run(
        page,
        """
        const { access, refresh } = await logIn();
        const network = new Network();
        const client = new Client(url, { access, refresh, makeSocket: network.makeSocket, fetch: network.fetch,
            openTimeout: null, queueMax: 2, queueMaxAge: 1 });
        await client.connect();
        const poison = client.rideCancel({ ride_id: crypto.randomUUID(), reason: "on my way \ud83d" });
        const afterwards = client.sync();
        const alone = [(await refusal(poison)).name, await refusal(afterwards)];
        network.cut();
        const abort = new AbortController();
        const given = [client.sync(), client.sync({ signal: abort.signal }), client.sync()].map(refusal);
        abort.abort();
        const [old, withdrawn, full] = await Promise.all(given);
        return [...alone, old.name, old.sent, withdrawn.name, full.name];
        """,
    )
    assert result == ["TypeError", None, "CommandExpired", False, "AbortError", "QueueFull"]


CODE_UNITS = st.integers(0, 0xFFFF) | st.sampled_from([0x00, 0x22, 0x5C, 0x2028, 0xD83D, 0xDE00, 0xFFFF])


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts=st.lists(st.lists(CODE_UNITS, max_size=12), min_size=1, max_size=8))
def test_any_text_is_answered_or_refused_at_once(page: Page, texts: list[list[int]]) -> None:
    """Whatever somebody types, nothing behind it waits: half a character fails alone, the rest reaches the server."""
    result = run(
        page,
        """
        if (!globalThis.one) {
            globalThis.one = makeClient(await logIn()).client;
            await globalThis.one.connect();
        }
        const names = argument.map(async (units) => {
            const reason = String.fromCharCode(...units);
            return (await refusal(globalThis.one.rideCancel({ ride_id: crypto.randomUUID(), reason })))?.name;
        });
        return Promise.all(names);
        """,
        texts,
    )
    for units, name in zip(texts, result, strict=True):
        assert name in ({"NotFound", "ValidationFailed"} if is_text(units) else {"TypeError"}), units


def is_text(units: list[int]) -> bool:
    """Return whether these are whole characters of UTF-16."""
    try:
        b"".join(unit.to_bytes(2, "little") for unit in units).decode("utf-16-le")
    except UnicodeDecodeError:
        return False
    return True


def test_events_can_be_iterated_over(page: Page) -> None:
    """Events can be read with `for await`."""
    result = run(
        page,
        """
        const { client } = makeClient(await logIn());
        await client.connect();
        const events = client.subscribe("finder_update", "session_ready");
        await client.finderUpdate(WISH);
        await client.finderUpdate({ is_active: false });
        const seen = [];
        for await (const { type, data } of events) {
            seen.push([type, data.is_active]);
            if (seen.length === 2) client.close();
        }
        const late = await refusal(client.waitFor("state", undefined, 0.05));
        return [seen, late?.name];
        """,
    )
    assert result == [[["finder_update", True], ["finder_update", False]], "WaitTimeout"]


def test_accounts_are_named_and_ended(server: ServerProcess, open_page: OpenPage) -> None:
    """Names of all scripts come back as they were typed, and an account can be ended."""
    page = open_page(f"{server.url}/", patient=True)  # the browser complains about the 404
    names = list(SCRIPTS.values())
    result = run(
        page,
        f"""
        const rest = new Rest(url);
        rest.access = (await logIn()).access;
        const names = [];
        for (const name of {json.dumps(names)}) names.push((await rest.setName(name)).full_name);
        const stranger = await refusal(rest.block("00000000-0000-0000-0000-000000000000"));
        await rest.deleteAccount();
        return [names, stranger.status, rest.access === undefined];
        """,
    )
    assert result == [names, 404, True]
