from datetime import timedelta

import pytest
from django.contrib.admin.models import CHANGE, LogEntry
from django.core.serializers import serialize
from django.utils import timezone

from common.errors import Conflict
from users.codes import code_create
from users.models import Driver, KnownAddress, OneTimeCode, User
from users.personal_data.users import UsersData
from users.services import login
from users.tokens import tokens_issue

DATA = UsersData()


def test_nothing_that_names_the_person_is_left(dewi: User, putri: User) -> None:
    """Number, name, plate, address and tokens are gone from every table of the app, and from the admin's log."""
    code = code_create(msisdn=dewi.msisdn, address="203.0.113.7")
    login(msisdn=dewi.msisdn, otp=code, address="203.0.113.7")
    LogEntry.objects.log_actions(str(putri.pk), [dewi], CHANGE, "Deactivated by support.")
    dewi.refresh_from_db()
    DATA.erase(dewi)
    models = (User, Driver, KnownAddress, OneTimeCode, LogEntry)
    everything = serialize("json", [row for model in models for row in model._base_manager.all()])
    for trace in ("+6281200000001", "Dewi", "B 1234 XYZ", "203.0.113.7"):
        assert trace not in everything
    assert putri.msisdn in everything
    dewi.refresh_from_db()
    assert (dewi.is_active, dewi.role, dewi.erased_at is not None) == (False, "passenger", True)


def test_the_number_is_free_for_another_account(putri: User) -> None:
    """A new owner begins with an account of their own."""
    number = putri.msisdn
    DATA.erase(putri)
    session = login(msisdn=number, otp=code_create(msisdn=number), address="")
    assert (session.user.pk != putri.pk, session.user.full_name) == (True, "")


def test_staff_are_not_erased(putri: User) -> None:
    """Who has rights loses them first."""
    for rights in ({"is_staff": True}, {"is_superuser": True}):
        with pytest.raises(Conflict):
            DATA.check(User(**rights))
    DATA.check(putri)


def test_old_addresses_are_forgotten(putri: User) -> None:
    """An address of a login is kept for `ADDRESS_RETENTION`."""
    for days in (1, 181):
        at = timezone.now() - timedelta(days=days)
        KnownAddress.objects.create(user=putri, address=f"203.0.113.{days}", last_login_at=at)
    list(DATA.expire())
    assert KnownAddress.objects.get().address == "203.0.113.1"


def test_the_profile_and_the_logins_are_given_out(dewi: User) -> None:
    """With everything the app keeps, and no token."""
    KnownAddress.objects.create(user=dewi, address="203.0.113.7", last_login_at=timezone.now())
    pair = tokens_issue(dewi)
    data = DATA.export(dewi)
    assert data["profile"]["msisdn"] == dewi.msisdn
    assert data["vehicle"]["vehicle_plate"] == "B 1234 XYZ"
    assert data["logins"][0]["address"] == "203.0.113.7"
    assert len(data["sessions"]) == 1
    assert pair["refresh"] not in str(data)
