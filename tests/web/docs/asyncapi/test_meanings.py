import pytest

from common.errors import ErrorCode
from realtime.contract.frames import CloseCode
from web.docs.asyncapi.meanings import ERRORS, closes, handshake_answers


def test_every_error_code_has_a_meaning() -> None:
    assert set(ERRORS) == set(ErrorCode)


@pytest.mark.parametrize(("code", "word"), [(1009, "WS_MAX_MESSAGE_SIZE"), (4409, "newer"), (4429, "RATE_LIMIT")])
def test_a_close_code_means_what_stands_below_it_in_the_code(code: int, word: str) -> None:
    (found,) = [close for close in closes() if close.code == code]
    assert word in found.meaning
    assert found.name == CloseCode(code).name
    assert found.example


def test_a_refused_handshake_has_the_body_of_an_error() -> None:
    opened, *refused = handshake_answers()
    assert (opened.status, opened.body) == (101, None)
    assert [answer.status for answer in refused] == [401, 403, 404, 429]
    for answer in refused:
        assert answer.body is not None
        assert answer.body["code"] in list(ErrorCode)
