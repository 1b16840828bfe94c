from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission

from tests.cast import make_user
from users.models import User


@pytest.fixture
def rina(db: None) -> User:
    """A member of staff who may see the live map."""
    user = make_user("+6281200000006", "Rina", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_live_map"))
    return user


@pytest.fixture(autouse=True)
def _short_periods(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.LIVE_INTERVAL = timedelta(milliseconds=20)
    settings.ALLOWED_HOSTS = ["testserver"]
    monkeypatch.setattr("web.live.feed.CHECK_INTERVAL", 0.05)
