"""What a server logs of a whole ride: enough to follow it, and nothing that is nobody's business."""

from __future__ import annotations

import json

import pytest

from tests.e2e.client import PLACE, Client, ride_to_pickup
from tests.e2e.conftest import StartServer

pytestmark = pytest.mark.e2e


async def test_no_secrets_are_logged(start_server: StartServer) -> None:
    """Logs contain neither tokens nor codes nor positions, and name the connection of each line."""
    server = start_server(LOG_FORMAT="json")
    tokens = server.log_in("+6281200000001", driver=True), server.log_in("+6281200000003")
    driver, passenger = [await Client.connect(server.url, token) for token in tokens]
    await ride_to_pickup(driver, passenger)
    for person in (driver, passenger):
        await person.do("location_update", **PLACE)
    await driver.do("token_refresh", token=tokens[0])
    await driver.do("token_refresh", token=tokens[1])  # somebody else's
    await driver.do("ride_start", ride_id="x")
    await driver.do("nonsense", **PLACE)
    await driver.hang_up()
    await passenger.hang_up()
    server.stop()
    codes = [line.split(": ")[1][:6] for line in server.output if line.startswith("SMS to ")]
    assert len(codes) == 2
    lines = [json.loads(line) for line in server.output if line.startswith("{")]
    text = "\n".join(line for line in server.output if line.startswith("{"))
    secrets = [
        *tokens,
        *(token.rsplit(".", 1)[1] for token in tokens),
        *codes,
        *(str(value) for value in PLACE.values()),
    ]
    assert not [secret for secret in secrets if secret in text]
    assert {line["level"] for line in lines} == {"INFO"}
    refusals = [line for line in lines if line["message"].startswith("Refused: ride_id")]
    assert len(refusals) == 1
    assert refusals[0]["frame"] == "ride_start"
    connected = next(line for line in lines if line["message"] == "Connected.")
    assert len(connected["connection"]) == len(connected["user_id"]) == 36
    assert refusals[0]["connection"] == connected["connection"]
    assert [line["frame"] for line in lines if line["message"].startswith("Bad frame")] == ["unknown"]
