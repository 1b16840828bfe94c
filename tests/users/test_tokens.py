import base64
import hmac
import json
import time
from typing import Any

import jwt
import pytest
from django.conf import settings as current

from common.errors import Unauthorized
from tests.tokens import make_token
from users.models import User
from users.tokens import authenticate, refresh_claims_of, tokens_issue


def test_our_own_access_token_is_good(putri: User) -> None:
    user, claims = authenticate(tokens_issue(putri)["access"])
    assert user == putri
    assert (claims.role, claims.ver) == ("passenger", 0)


def test_another_issuers_token_with_three_claims_is_good(dewi: User) -> None:
    exp = int(time.time()) + 60
    assert authenticate(make_token({"user_id": str(dewi.pk), "role": "driver", "exp": exp}))[0] == dewi


def test_a_clock_that_is_ahead_a_little_is_forgiven(dewi: User) -> None:
    now = int(time.time())
    assert authenticate(make_token({"user_id": str(dewi.pk), "role": "driver", "exp": now + 60, "iat": now + 8}))
    with pytest.raises(Unauthorized):
        authenticate(make_token({"user_id": str(dewi.pk), "role": "driver", "exp": now + 60, "iat": now + 30}))


@pytest.mark.parametrize(
    "change",
    [
        {"exp": 0},
        {"exp": ("now", -1)},
        {"exp": "tomorrow"},
        {"exp": None},
        {"exp": 1e18},
        {"exp": 253402300800},
        {"exp": float("nan")},
        {"exp": float("inf")},
        {"exp": True},
        {"user_id": None},
        {"user_id": 5},
        {"user_id": "not a uuid"},
        {"user_id": "00000000-0000-4000-8000-000000000000"},
        {"role": "driver"},
        {"role": None},
        {"role": ["passenger"]},
        {"token_type": "refresh"},
        {"token_type": None},
        {"ver": 1},
        {"ver": -1},
        {"ver": "0"},
        {"ver": False},
        {"nbf": ("now", 100)},
        {"iat": "x"},
    ],
    ids=str,
)
def test_a_token_with_a_bad_claim_is_refused(putri: User, change: dict[str, Any]) -> None:
    good = {"user_id": str(putri.pk), "role": "passenger", "exp": int(time.time()) + 60}
    assert authenticate(make_token(good))
    for name, value in change.items():
        change = {name: int(time.time()) + value[1] if isinstance(value, tuple) else value}
    claims = {**good, **change}
    with pytest.raises(Unauthorized):
        authenticate(make_token(claims))


@pytest.mark.parametrize("missing", ["user_id", "role", "exp"])
def test_a_token_without_a_claim_is_refused(putri: User, missing: str) -> None:
    claims = {"user_id": str(putri.pk), "role": "passenger", "exp": int(time.time()) + 60}
    del claims[missing]
    with pytest.raises(Unauthorized):
        authenticate(make_token(claims))


def test_a_token_that_is_not_signed_with_our_secret_is_refused(putri: User) -> None:
    claims = {"user_id": str(putri.pk), "role": "passenger", "exp": int(time.time()) + 60}
    head, body, _ = make_token(claims).split(".")
    none = base64.urlsafe_b64encode(json.dumps({"alg": "none"}).encode()).rstrip(b"=").decode()
    for token in (
        jwt.encode(claims, "another secret of more than thirty-two bytes", algorithm="HS256"),
        jwt.encode(claims, current.JWT_SECRET * 2, algorithm="HS512"),
        f"{none}.{body}.",
        f"{head}.{body}.",
        f"{head}.{body}",
        "a.b.c",
        "",
        "\ud800",
    ):
        with pytest.raises(Unauthorized):
            authenticate(token)


def test_tokens_end_with_the_user_or_his_version(putri: User) -> None:
    token = tokens_issue(putri)["access"]
    User.objects.update(token_version=1)
    with pytest.raises(Unauthorized):
        authenticate(token)
    User.objects.update(token_version=0, is_active=False)
    with pytest.raises(Unauthorized):
        authenticate(token)


def test_an_access_token_fits_into_a_frame(putri: User) -> None:
    frame = {"type": "token_refresh", "data": {"token": tokens_issue(putri)["access"]}, "id": "x" * 64}
    assert len(json.dumps(frame)) <= current.WS_MAX_MESSAGE_SIZE


def test_keys_are_changed_without_a_logout(putri: User, settings: Any) -> None:
    """While the previous key is named its tokens hold; new ones are over the new key, and outlive the previous one."""
    old = tokens_issue(putri)
    settings.JWT_SECRET, first = "the second key, as long as a key has to be", settings.JWT_SECRET
    with pytest.raises(Unauthorized):
        authenticate(old["access"])
    settings.JWT_SECRET_PREVIOUS = first
    assert authenticate(old["access"])[0] == putri
    assert refresh_claims_of(old["refresh"]).user_id == putri.pk
    new = tokens_issue(putri)
    settings.JWT_SECRET_PREVIOUS = ""
    assert authenticate(new["access"])[0] == putri
    with pytest.raises(Unauthorized):
        authenticate(old["access"])


@pytest.mark.parametrize("previous", ["", "the first key, as long as a key has to be"])
def test_a_third_key_never_holds(putri: User, settings: Any, previous: str) -> None:
    """Neither a stranger's key nor the empty one, which stands for no previous key, signs tokens."""
    settings.JWT_SECRET_PREVIOUS = previous
    signed = tokens_issue(putri)["access"].rpartition(".")[0]
    for key in (b"the key of a stranger, as long as ours are", b""):
        signature = hmac.digest(key, signed.encode(), "sha256")
        with pytest.raises(Unauthorized):
            authenticate(f"{signed}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}")


def test_an_expired_token_of_the_previous_key_is_expired(putri: User, settings: Any) -> None:
    """The previous key changes nothing else about a token."""
    stale = make_token({"user_id": str(putri.pk), "role": "passenger", "exp": int(time.time()) - 1})
    settings.JWT_SECRET, settings.JWT_SECRET_PREVIOUS = "a new key that is long enough for us", settings.JWT_SECRET
    with pytest.raises(Unauthorized, match="expired"):
        authenticate(stale)


def test_sessions_of_staff_outlive_their_key(putri: User, settings: Any) -> None:
    """Django takes a session whose hash was made with the previous `SECRET_KEY`."""
    before = putri.get_session_auth_hash()
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "a new key that is long enough for us", [settings.SECRET_KEY]
    assert putri.get_session_auth_hash() != before
    assert list(putri.get_session_auth_fallback_hash()) == [before]
