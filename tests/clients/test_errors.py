import re

import pytest

import nebengjek_client
from common.errors import ErrorCode
from nebengjek_client import NebengJekError, ServerError, errors
from nebengjek_client.errors import KINDS, server_error


def test_every_code_has_a_class() -> None:
    """Every code of the server has a class of its own."""
    assert set(KINDS) == {code.value for code in ErrorCode}
    for code, kind in KINDS.items():
        error = server_error({"code": code, "message": "m", "reason": "r", "field": "f", "retry_after": 2})
        assert (type(error), str(error)) == (kind, f"{code}: m")
        assert (error.code, error.message, error.reason, error.field, error.retry_after) == (code, "m", "r", "f", 2)


def test_unknown_codes_are_errors() -> None:
    """A code that this client does not know is an error all the same."""
    error = server_error({"code": "NEW"}, status=418, retry_after=1)
    assert (type(error), error.code, error.message, error.status, error.retry_after) == (ServerError, "NEW", "", 418, 1)
    assert error.reason == "new"  # of a server of before there were reasons


def test_rest_errors_name_a_field() -> None:
    """A REST error with several fields names the first."""
    data = {"code": "VALIDATION_FAILED", "message": "m", "fields": {"msisdn": ["bad"], "otp": ["bad"]}}
    assert server_error(data).field == "msisdn"


@pytest.mark.parametrize(
    "kind", [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, Exception)]
)
def test_the_documented_tree_is_complete(kind: type[Exception]) -> None:
    """The tree of errors in the docstring is complete."""
    assert issubclass(kind, NebengJekError)
    for tree in (errors.__doc__, nebengjek_client.__doc__):
        assert re.search(rf"\b{kind.__name__}\b", tree or "")
    assert kind.__name__ in nebengjek_client.__all__
