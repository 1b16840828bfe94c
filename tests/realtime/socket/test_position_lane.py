"""The other party's position on its way to one client."""

from realtime.socket.position_lane import PositionLane
from realtime.socket.position_pacing import Pace


class Client:
    """Takes frames, and answers pings when told to."""

    def __init__(self) -> None:
        self.frames: list[tuple[str, str]] = []
        self.pings: list[bytes] = []
        self.pace = Pace(self.pings.append)

    async def send(self, frame: str, kind: str) -> None:
        self.frames.append((frame, kind))


async def test_positions_go_out_at_once() -> None:
    """Without a pace, as on other servers, each position is sent as it comes."""
    client = Client()
    lane = PositionLane(None, client.send)
    for frame in ("1", "2"):
        await lane.relay({"frame": frame})
    assert client.frames == [("1", "location_update"), ("2", "location_update")]


async def test_slow_clients_get_only_the_latest() -> None:
    """While the client has not answered for a position, newer ones take each other's place."""
    client = Client()
    lane = PositionLane(client.pace, client.send)
    for frame in ("1", "2", "3"):
        await lane.relay({"frame": frame})
    assert [frame for frame, _ in client.frames] == ["1"]
    client.pace.answered(client.pings[-1])
    assert lane._sending is not None
    await lane._sending
    assert [frame for frame, _ in client.frames] == ["1", "3"]
    client.pace.stop()


async def test_cleared_positions_are_never_sent() -> None:
    """A position of the time before an event is dropped, and what comes after it is sent."""
    client = Client()
    lane = PositionLane(client.pace, client.send)
    await lane.relay({"frame": "1"})
    await lane.relay({"frame": "old"})
    lane.clear()
    client.pace.answered(client.pings[-1])
    assert lane._sending is not None
    await lane._sending
    await lane.relay({"frame": "new"})
    assert [frame for frame, _ in client.frames] == ["1", "new"]
    lane.stop()
    client.pace.stop()
