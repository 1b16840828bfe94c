import pytest
from django.db import IntegrityError, transaction

from users.models import Driver, User

pytestmark = pytest.mark.django_db


def test_a_number_is_of_one_user_however_it_is_written(putri: User) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        User.objects.create_user("0812 0000 0003")
    assert User.objects.get_by_natural_key("081200000003") == putri


def test_what_is_no_number_finds_nobody() -> None:
    with pytest.raises(User.DoesNotExist):
        User.objects.get_by_natural_key("nobody")
    with pytest.raises(ValueError, match="phone number"):
        User.objects.create_user("nobody")


def test_roles_vehicles_and_numbers_are_checked_by_the_database(dewi: User) -> None:
    for change in ({"role": "pilot"}, {"msisdn": "0812"}):
        with pytest.raises(IntegrityError), transaction.atomic():
            User.objects.filter(pk=dewi.pk).update(**change)
    with pytest.raises(IntegrityError), transaction.atomic():
        Driver.objects.update(vehicle_type="plane")


def test_people_are_shown_by_name_and_number(putri: User, dewi: User) -> None:
    assert str(putri) == "Putri (+6281•••••0003)"
    assert putri.get_short_name() == putri.get_full_name() == "Putri"
    assert str(User(msisdn="+6281200000001")) == "+6281•••••0001"
    assert str(dewi.driver) == "Dewi (+6281•••••0001) · B 1234 XYZ"
