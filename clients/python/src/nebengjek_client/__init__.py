"""The Python client of NebengJek: one WebSocket that survives, and commands that happen once.

    async with Client("https://nebengjek.example", access, refresh) as client:
        await client.beacon_update(is_active=True, latitude=-6.1754, longitude=106.8272)
        async for frame in client.subscribe("match_proposal"):
            await client.match_confirm(match_id=frame.data["match_id"], accepted=True)

What it raises:

NebengJekError
├── ServerError                     (code, message, reason, field, retry_after, status)
│   ├── InvalidFormat · ValidationFailed · Unauthorized · RateLimited · InternalError
├── CommandDropped
│   ├── QueueFull · CommandExpired · CommandTooLarge
├── SubscriptionOverflow
├── Unreachable                     (REST)
└── ConnectionEnded
    ├── ClientClosed · LoginRequired · Replaced · ConnectFailed

`nebengjek_client.errors` says what each of them means.
"""

from nebengjek_client.client import Client
from nebengjek_client.contract import Limits, Location, Match, Payment, Ride, Session, State
from nebengjek_client.errors import (
    ClientClosed,
    CommandDropped,
    CommandExpired,
    CommandTooLarge,
    ConnectFailed,
    ConnectionEnded,
    InternalError,
    InvalidFormat,
    LoginRequired,
    NebengJekError,
    QueueFull,
    RateLimited,
    Replaced,
    ServerError,
    SubscriptionOverflow,
    Unauthorized,
    Unreachable,
    ValidationFailed,
)
from nebengjek_client.frames import Data, Frame
from nebengjek_client.listeners import Subscription
from nebengjek_client.rest import Login, Page, Rest, Tokens

__all__ = [
    "Client",
    "ClientClosed",
    "CommandDropped",
    "CommandExpired",
    "CommandTooLarge",
    "ConnectFailed",
    "ConnectionEnded",
    "Data",
    "Frame",
    "InternalError",
    "InvalidFormat",
    "Limits",
    "Location",
    "Login",
    "LoginRequired",
    "Match",
    "NebengJekError",
    "Page",
    "Payment",
    "QueueFull",
    "RateLimited",
    "Replaced",
    "Rest",
    "Ride",
    "ServerError",
    "Session",
    "State",
    "Subscription",
    "SubscriptionOverflow",
    "Tokens",
    "Unauthorized",
    "Unreachable",
    "ValidationFailed",
]
