from datetime import timedelta
from uuid import uuid4

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.utils import timezone

from tests.cast import arrive, connect, propose
from users.models import Driver, KnownAddress, Paper, Rating, User

ALL = [
    "view_user", "view_driver", "view_msisdn", "shut_out_user", "view_ride", "view_finder", "view_liveconnection",
    "view_staffrecord",
]  # fmt: skip


def clerk(*permissions: str) -> Client:
    user, _ = User.objects.get_or_create(msisdn="+6281200000098", defaults={"is_staff": True, "full_name": "Rina"})
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    client = Client()
    client.force_login(user)
    return client


def page(user: User, *permissions: str) -> str:
    return clerk(*permissions).get(f"/admin/users/user/{user.pk}/change/").content.decode()


def test_a_page_says_who_it_is(dewi: User) -> None:
    """Name, number, role, rating, vehicle, approval and papers."""
    User.objects.filter(pk=dewi.pk).update(rating_sum=23, rating_count=5)
    Driver.objects.update(approval="refused", approval_reason="The licence is a copy")
    Paper.objects.create(driver=dewi.driver, kind="licence", expires_on=timezone.localdate() - timedelta(days=1))
    shown = page(dewi, *ALL)
    for part in (
        "Dewi",
        dewi.msisdn,
        "Driver",
        "4.6 of 5 ratings",
        "B 1234 XYZ",
        "The licence is a copy",
        "expired on",
    ):
        assert part in shown, part


def test_the_number_is_masked_for_those_who_may_not_see_it(putri: User) -> None:
    """The rest of the page is the same."""
    shown = page(putri, "view_user")
    assert "+6281•••••0003" in shown
    assert putri.msisdn not in shown


def test_a_page_says_what_is_happening_now(dewi: User, putri: User) -> None:
    """Beacon, search, connection, ride and payment due, each a click away."""
    propose(dewi, putri)
    shown = page(putri, *ALL)
    assert "looking for a driver" in shown
    assert "Not connected." in shown
    connect(putri)
    assert "Last heard" in page(putri, *ALL)
    assert ">on<" in page(dewi, *ALL)


def test_a_page_leads_to_rides_and_other_people(dewi: User, putri: User) -> None:
    """The other party, the cost, and the payment that is due."""
    ride = arrive(dewi, putri, tracked_km=2)
    shown = page(putri, *ALL)
    assert f"/admin/rides/ride/{ride.pk}/change/" in shown
    assert f"/admin/users/user/{dewi.pk}/change/" in shown
    assert "Rp 6.000" in shown
    assert "Payment due" in shown


def test_a_page_shows_logins_and_staff_actions(putri: User) -> None:
    """Where they logged in, and what staff did to the account."""
    KnownAddress.objects.create(user=putri, address="203.0.113.7", last_login_at=timezone.now())
    body = {"action": "log_out", "_selected_action": [str(putri.pk)], "confirmed": "yes"}
    clerk(*ALL).post("/admin/users/user/", body)
    shown = page(putri, *ALL)
    for part in ("203.0.113.7", "Rina", "Logged out everywhere by support."):
        assert part in shown, part


def test_each_sees_what_they_have_a_permission_for(dewi: User, putri: User) -> None:
    """Without the permission for rides there are none, and only superusers see the fields of staff."""
    arrive(dewi, putri)
    shown = page(putri, "view_user")
    for part in ("Last rides", "Connection", "id_is_superuser", "Superuser status"):
        assert part not in shown, part
    boss = User.objects.create_superuser("+6281200000099", "a long password")
    client = Client()
    client.force_login(boss)
    assert "id_is_superuser" in client.get(f"/admin/users/user/{putri.pk}/change/").content.decode()


def test_an_account_that_was_erased_or_is_not_confirmed_says_so(putri: User) -> None:
    """Support sees why a person sees neither name nor rides."""
    User.objects.filter(pk=putri.pk).update(name_confirmed=False)
    assert "not confirmed since the last login" in page(putri, *ALL)
    User.objects.filter(pk=putri.pk).update(erased_at=timezone.now(), full_name="")
    shown = page(putri, *ALL)
    assert "erased" in shown
    assert "no name given" in shown


@pytest.mark.parametrize("rides", [1, 3])
def test_a_page_costs_the_same_however_much_there_is(
    putri: User, dewi: User, rides: int, django_assert_max_num_queries: object
) -> None:
    """Lists fetch their people with one query."""
    for _ in range(rides):
        ride = arrive(dewi, putri)
        ride.status = "COMPLETED"
        ride.save(update_fields=["status"])
    client = clerk(*ALL)
    with django_assert_max_num_queries(40):  # type: ignore[operator]
        client.get(f"/admin/users/user/{putri.pk}/change/")


def test_a_page_says_that_a_number_was_somebody_elses(putri: User, dewi: User) -> None:
    """And how they were rated: another name may hide the same person."""
    assert "somebody else" not in page(putri, *ALL)
    now = timezone.now()
    rating = {"rater": dewi, "rated": putri, "ride_id": uuid4()}
    Rating.objects.create(stars=2, created_at=now - timedelta(days=1), **rating)
    User.objects.filter(pk=putri.pk).update(owner_since=now)
    shown = page(putri, *ALL)
    assert f"somebody else, until {timezone.localtime(now):%Y-%m-%d %H:%M:%S}; rating: 2.0 of 1 rating" in shown
    assert "none yet" in shown
