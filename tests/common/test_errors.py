from common.errors import Conflict, ErrorCode, RateLimited, Unauthorized, ValidationFailed


def test_clients_read_the_whole_reason_of_their_own_mistakes() -> None:
    assert ValidationFailed("too far", field="latitude").client_message == "too far"
    assert Conflict("busy").code == ErrorCode.VALIDATION_FAILED
    assert RateLimited("slow down", retry_after=2).client_message == "slow down"


def test_nobody_reads_the_reason_of_a_security_matter() -> None:
    assert Unauthorized("the signature is wrong").client_message == "Authentication required"
