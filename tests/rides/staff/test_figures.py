from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import override_settings
from django.utils import timezone

from rides.models import Payment, Ride
from rides.services.payments import payment_process
from rides.services.rides import ride_cancel, ride_cancel_by_staff
from rides.staff.figures import figures
from tests.cast import arrive, book, propose, stand_by, start
from users.models import User

pytestmark = pytest.mark.django_db


def test_a_day_in_figures(dewi: User, putri: User, joko: User, sari: User) -> None:
    ride = arrive(dewi, putri, tracked_km=2)
    payment_process(user_id=putri.pk, ride_id=ride.pk, total_cost=6000, status="ACCEPTED")
    ride_cancel(user_id=putri.pk, ride_id=book(dewi, putri).pk)
    ride_cancel_by_staff(ride_id=book(dewi, putri).pk)
    start(dewi, putri)
    propose(joko, sari)
    day = figures(timezone.now())
    assert day.rides == {"PICKUP": 0, "ONGOING": 1, "ARRIVED": 0, "COMPLETED": 1, "CANCELLED": 2}
    assert day.cancelled == {"driver": 0, "passenger": 1, "staff": 1, "system": 0}
    assert (day.payments, day.revenue, day.fees) == (1, 6000, 300)
    assert (day.searches, day.waiting, day.riding) == (1, 1, 1)


def test_what_is_asked_for_but_not_paid_is_no_revenue(dewi: User, putri: User) -> None:
    ride = arrive(dewi, putri, tracked_km=2)
    assert figures(timezone.now()).revenue == 0
    payment_process(user_id=putri.pk, ride_id=ride.pk, total_cost=6000, status="REJECTED")
    assert figures(timezone.now()).revenue == 0


def test_yesterday_does_not_count(dewi: User, putri: User) -> None:
    ride = arrive(dewi, putri, tracked_km=2)
    payment_process(user_id=putri.pk, ride_id=ride.pk, total_cost=6000, status="ACCEPTED")
    Ride.objects.update(created_at=timezone.now() - timedelta(days=1))
    Payment.objects.update(processed_at=timezone.now() - timedelta(days=1))
    day = figures(timezone.now())
    assert (sum(day.rides.values()), day.payments, day.revenue) == (0, 0, 0)


def test_the_day_begins_at_midnight_where_the_server_is() -> None:
    now = datetime(2026, 5, 4, 18, 30, tzinfo=UTC)
    with override_settings(TIME_ZONE="UTC"):
        assert figures(now).since == datetime(2026, 5, 4, tzinfo=UTC)
    with override_settings(TIME_ZONE="Asia/Jakarta"):
        assert figures(now).since == datetime(2026, 5, 4, 17, tzinfo=UTC)


def test_a_driver_who_was_shut_out_is_not_available(dewi: User) -> None:
    stand_by(dewi)
    assert figures(timezone.now()).waiting == 1
    User.objects.update(is_active=False)
    assert figures(timezone.now()).waiting == 0


@pytest.mark.parametrize("rides", [1, 4])
def test_figures_cost_six_queries(dewi: User, putri: User, django_assert_num_queries: Any, rides: int) -> None:
    for _ in range(rides):
        Ride.objects.update(status="CANCELLED", cancelled_by="staff", cancelled_at=timezone.now())
        book(dewi, putri)
    with django_assert_num_queries(6):
        figures(timezone.now())
