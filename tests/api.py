"""REST in the tests."""

from typing import Any

from django.test import Client

from users.models import User
from users.tokens import tokens_issue


class ApiClient(Client):
    """A client that sends JSON."""

    def post(self, path: str, data: Any = None, **kwargs: Any) -> Any:  # type: ignore[override]
        """Send a body as JSON."""
        return super().post(path, data or {}, content_type="application/json", **kwargs)

    def patch(self, path: str, data: Any = None, **kwargs: Any) -> Any:  # type: ignore[override]
        """Send a body as JSON."""
        return super().patch(path, data or {}, content_type="application/json", **kwargs)


def as_user(user: User) -> ApiClient:
    """Return a client with an access token of the user."""
    user.refresh_from_db()
    return ApiClient(headers={"Authorization": f"Bearer {tokens_issue(user)['access']}"})
