"""The active bridge forgets the numbers of those who have had no notification for days."""

import pytest

from common.redis import PREFIX, async_redis
from realtime.bridge import forgetting
from tests.patience import until
from tests.realtime.bridge.conftest import running_bridge


async def test_an_active_bridge_forgets(
    distributed: None, transactional_db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It goes on from where it was, and begins again at the end."""
    monkeypatch.setattr(forgetting, "INTERVAL", 0.01)
    async with running_bridge():
        for user in ("ari", "dewi"):
            await async_redis().set(f"{PREFIX}head:{user}", 7)
            await async_redis().sadd(f"{PREFIX}numbered", user)

            async def is_forgotten(user: str = user) -> bool:
                return not await async_redis().exists(f"{PREFIX}head:{user}")

            await until(is_forgotten)
    assert await async_redis().get(f"{PREFIX}floor") == b"7"
