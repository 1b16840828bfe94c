import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from users.models import KnownAddress, OneTimeCode, Suspicion, Tally, User

pytestmark = pytest.mark.django_db


def test_an_address_is_known_once(putri: User) -> None:
    """The database holds one record for each user and address."""
    KnownAddress.objects.create(user=putri, address="203.0.113.7", last_login_at=timezone.now())
    with pytest.raises(IntegrityError), transaction.atomic():
        KnownAddress.objects.create(user=putri, address="203.0.113.7", last_login_at=timezone.now())


def test_records_are_shown_in_words(putri: User) -> None:
    """As a developer reads them in a shell."""
    assert str(OneTimeCode(msisdn="+6281200000001")) == "code for +6281200000001"
    assert str(KnownAddress(user=putri, address="203.0.113.7")) == f"{putri.pk} from 203.0.113.7"
    assert str(Tally(name=Suspicion.CODES_CAPPED, count=2)) == "codes_capped: 2"
