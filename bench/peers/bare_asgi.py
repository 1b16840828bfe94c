"""A WebSocket without anything behind it, on the server that `serve` uses: no Python server can be faster than this.

    uvicorn --app-dir bench/peers bare_asgi:app

It decodes each frame and answers a `probe`.
"""

from __future__ import annotations

import json
from typing import Any


async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Serve one connection."""
    if scope["type"] != "websocket":
        return
    await receive()
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        if json.loads(message["text"])["type"] == "probe":
            await send({"type": "websocket.send", "text": '{"type":"error","data":{}}'})
