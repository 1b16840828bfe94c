import pytest
from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from users.models import StaffAct, StaffRecord

pytestmark = pytest.mark.django_db


def test_what_was_recorded_cannot_be_changed() -> None:
    """By no query, whoever sends it; PostgreSQL refuses deletions too."""
    record = StaffRecord.objects.create(at=timezone.now(), act=StaffAct.LOGIN)
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        StaffRecord.objects.update(text="nothing happened")
    if connection.vendor == "postgresql":
        with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
            record.delete()
    assert "logged in" in str(StaffRecord.objects.get())
