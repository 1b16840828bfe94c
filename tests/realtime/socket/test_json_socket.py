"""The JSON hooks of Channels are where frames are decoded and encoded."""

from typing import Any

import pytest
from channels.generic.websocket import AsyncJsonWebsocketConsumer, AsyncWebsocketConsumer

from realtime.contract.frames import BadFrame, Frame, error, reply
from realtime.socket.json_socket import JsonSocket


class Echo(JsonSocket):
    """Answers each frame with its data."""

    async def receive_json(self, content: Frame, **_: Any) -> None:
        await self.send_json(reply({"type": "ack", "data": {"type": content.type}}, content.command_id))

    async def refuse(self, bad: BadFrame) -> dict[str, Any]:
        return error(bad.error, bad.command_id)


async def exchange(socket: JsonSocket, *messages: dict[str, Any]) -> list[dict[str, Any]]:
    """What a socket sends for these messages."""
    sent: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    socket.begin({}, send)
    for message in messages:
        await socket.websocket_receive({"type": "websocket.receive", **message})
    if socket.close_timer is not None:
        socket.close_timer.cancel()
    return sent


async def test_frames_go_through_the_json_hooks() -> None:
    """What `decode_json` returns reaches `receive_json`, and what `encode_json` returns is sent."""

    class Other(Echo):
        @classmethod
        async def decode_json(cls, text_data: str) -> Frame:
            return await super().decode_json(text_data.replace("sync", "other"))

        @classmethod
        async def encode_json(cls, content: Any) -> str:
            return (await super().encode_json(content)).upper()

    [sent] = await exchange(Other(), {"text": '{"type":"sync","data":{}}'})
    assert sent["text"] == '{"TYPE":"ACK","DATA":{"TYPE":"OTHER"}}'


async def test_the_base_class_hands_frames_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the plain consumer of Channels, which has no JSON half, no frame is answered."""
    assert issubclass(JsonSocket, AsyncJsonWebsocketConsumer)
    monkeypatch.setattr(AsyncJsonWebsocketConsumer, "receive", AsyncWebsocketConsumer.receive)
    assert await exchange(Echo(), {"text": '{"type":"sync","data":{}}'}) == []


@pytest.mark.parametrize("message", [{"text": ""}, {"bytes": b"{}"}, {"text": "{"}, {"text": "[]"}, {"bytes": b""}])
async def test_what_is_no_frame_is_refused(message: dict[str, Any]) -> None:
    """Empty, binary and broken frames are answered by INVALID_FORMAT, and the socket goes on."""
    refused, answered = await exchange(Echo(), message, {"text": '{"type":"sync","data":{},"id":"1"}'})
    assert '"code":"INVALID_FORMAT"' in refused["text"]
    assert answered["text"] == '{"type":"ack","data":{"type":"sync"},"id":"1"}'


async def test_large_frames_close_the_socket(settings: Any) -> None:
    """A frame of more bytes than `WS_MAX_MESSAGE_SIZE` closes with 1009, however few characters it has."""
    settings.WS_MAX_MESSAGE_SIZE = 300
    text = '{"type":"sync","data":{"x":"%s"}}'
    room = 300 - len(text % "")
    [answered] = await exchange(Echo(), {"text": text % ("x" * room)})
    assert answered["type"] == "websocket.send"
    for filling in ("x" * (room + 1), "\u0e01" * (room // 3 + 1)):
        [closed] = await exchange(Echo(), {"text": text % filling})
        assert closed == {"type": "websocket.close", "code": 1009}
