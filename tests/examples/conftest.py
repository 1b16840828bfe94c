"""A NATS with the example's configuration, and the passwords of its users."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from nats.aio.client import Client

from devservers.servers import NatsServer
from nebengjek.settings import BASE_DIR

CONFIG = Path(BASE_DIR) / "examples" / "nats-server.conf"
USERS = ("web", "dispatcher", "bridge", "matching")


def url_of(server: NatsServer, user: str) -> str:
    """Return what NATS_URL is for a user."""
    return server.url.replace("://", f"://{user}:{password_of(user)}@")


async def settle(client: Client) -> None:
    """Return when the server has taken, and answered, all that was said; the ping of one flush may overtake it."""
    for _ in range(2):
        await client.flush()


def password_of(user: str) -> str:
    """Return the password that the server takes."""
    return f"secret-of-{user}"


@pytest.fixture(scope="module")
def guarded_nats(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsServer]:
    """A NATS that lets each user do what the configuration says."""
    with pytest.MonkeyPatch.context() as patch:
        for user in USERS:
            patch.setenv(f"NATS_{user.upper()}_PASSWORD", password_of(user))
        with NatsServer(tmp_path_factory.mktemp("guarded"), config=CONFIG) as server:
            yield server
