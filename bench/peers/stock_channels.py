"""The stack of the Channels tutorial: Daphne, `AsyncJsonWebsocketConsumer`, and the core layer of channels_redis.

    PYTHONPATH=bench/peers REDIS_URL=… JWT_SECRET=… daphne stock_channels:application

A connection is authenticated by its token and joins the group of its user; nothing is read from a database.
"""

from __future__ import annotations

import os
from typing import Any

import django
import jwt
from channels.generic.websocket import AsyncJsonWebsocketConsumer
from channels.routing import ProtocolTypeRouter, URLRouter
from django.conf import settings
from django.urls import path

REDIS_LAYER = {
    "BACKEND": "channels_redis.core.RedisChannelLayer",
    "CONFIG": {"hosts": [os.environ.get("REDIS_URL", "redis://127.0.0.1:6379/0")]},
}

if not settings.configured:
    settings.configure(CHANNEL_LAYERS={"default": REDIS_LAYER}, INSTALLED_APPS=["channels"], SECRET_KEY="bench")  # noqa: S106
    django.setup()


class Consumer(AsyncJsonWebsocketConsumer):  # type: ignore[misc]  # Channels has no type hints
    """A user who reports positions and is notified."""

    async def connect(self) -> None:
        """Join the group of the token's user."""
        headers = dict(self.scope["headers"])
        token = headers[b"authorization"].decode().removeprefix("Bearer ")
        claims = jwt.decode(token, os.environ["JWT_SECRET"], algorithms=["HS256"])
        self.group = f"user_{claims['user_id']}"
        await self.channel_layer.group_add(self.group, self.channel_name)
        await self.accept()

    async def disconnect(self, code: int) -> None:
        """Leave the group."""
        await self.channel_layer.group_discard(self.group, self.channel_name)

    async def receive_json(self, content: Any, **_: Any) -> None:
        """Answer a `probe`; positions are only decoded."""
        if content["type"] == "probe":
            await self.send_json({"type": "error", "data": {}})

    async def notify(self, message: dict[str, Any]) -> None:
        """Forward a notification."""
        await self.send_json({"type": "match_proposal", "data": message["data"]})


application = ProtocolTypeRouter({"websocket": URLRouter([path("ws/", Consumer.as_asgi())])})
