import pytest
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request
from rest_framework.test import APIRequestFactory

from users.authentication import BearerAuthentication
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
