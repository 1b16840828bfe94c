from types import SimpleNamespace

import pytest
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.parsers import JSONParser
from rest_framework.request import Request
from rest_framework.test import APIRequestFactory

from users.authentication import BearerAuthentication, digest_of
from users.models import User
from users.tokens import tokens_issue


def ask(header: str | None) -> object:
    request = APIRequestFactory().get("/")
    if header is not None:
        request.META["HTTP_AUTHORIZATION"] = header
    return BearerAuthentication().authenticate(Request(request))


def test_the_scheme_may_be_written_in_any_case(putri: User) -> None:
    for scheme in ("Bearer", "bearer", "BEARER"):
        found = ask(f"{scheme} {tokens_issue(putri)['access']}")
        assert isinstance(found, tuple)
        assert found[0] == putri


def test_other_schemes_are_none_of_its_business(db: None) -> None:
    assert ask(None) is None
    assert ask("Basic dTpw") is None


@pytest.mark.parametrize("token", ["", "x", "a.b.c"])
def test_a_bad_token_says_no_more_than_it_must(db: None, token: str) -> None:
    with pytest.raises(AuthenticationFailed, match=r"^Authentication required$"):
        ask(f"Bearer {token}")


def test_a_call_that_ended_its_token_may_come_again(putri: User) -> None:
    """Only the same call of the same token is let through, and only while its answer is kept."""

    def call(body: dict[str, str], *, ends_token: bool = True) -> Request:
        request = APIRequestFactory().post("/api/drivers/", body, format="json", headers={"Authorization": header})
        return Request(request, parsers=[JSONParser()], parser_context={"view": SimpleNamespace(ends_token=ends_token)})

    header = f"Bearer {tokens_issue(putri)['access']}"
    User.objects.update(token_version=1)
    putri.refresh_from_db()
    with pytest.raises(AuthenticationFailed):
        BearerAuthentication().authenticate(call({"a": "1"}))
    tokens_issue(putri, request=digest_of(call({"a": "1", "b": "2"})))
    found = BearerAuthentication().authenticate(call({"b": "2", "a": "1"}))
    assert found is not None
    assert found[0] == putri
    with pytest.raises(AuthenticationFailed):
        BearerAuthentication().authenticate(call({"a": "1", "b": "3"}))
    with pytest.raises(AuthenticationFailed):
        BearerAuthentication().authenticate(call({"a": "1", "b": "2"}, ends_token=False))
