import pytest
from django.core.management.base import CommandError

from users.management.person import person_meant
from users.models import User


def test_a_person_is_meant_by_number_or_id(putri: User) -> None:
    """In any spelling of the number."""
    for text in ("0812-0000-0003", putri.msisdn, str(putri.pk)):
        assert person_meant(text) == putri
    for text in ("0812-0000-0004", "Putri", ""):
        with pytest.raises(CommandError, match="There is no user"):
            person_meant(text)
