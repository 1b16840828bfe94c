from uuid import UUID

from users.events import TokensRevoked


def test_a_revocation_is_for_the_sockets_of_one_user() -> None:
    event = TokensRevoked(user_id=UUID(int=1), token_version=3)
    assert event.type == ""
    assert event.audience == (UUID(int=1),)
    assert event.key == str(UUID(int=1))
    assert event.to_data() == {"user_id": str(UUID(int=1)), "token_version": 3}
