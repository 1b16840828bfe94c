import pytest
from django.db import transaction

from common.errors import Unauthorized
from events.models import OutboxEvent
from users.models import User
from users.services.revocation import revoke_tokens
from users.tokens import authenticate, tokens_issue


def test_all_tokens_end_and_the_sockets_hear_of_it(putri: User, tono: User) -> None:
    """The event and the new version are one transaction; other users keep their tokens."""
    token, other = tokens_issue(putri)["access"], tokens_issue(tono)["access"]
    with transaction.atomic():
        revoke_tokens(putri.pk)
    with pytest.raises(Unauthorized):
        authenticate(token)
    assert authenticate(other)
    assert OutboxEvent.objects.get().data == {"user_id": str(putri.pk), "token_version": 1}
