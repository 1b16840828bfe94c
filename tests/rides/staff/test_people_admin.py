"""Records of people are found by their ids and by their people."""

import pytest
from django.test import Client

from tests.cast import arrive, book
from users.models import User


@pytest.fixture
def staff(client: Client, db: None) -> Client:
    """A superuser in the admin."""
    client.force_login(User.objects.create_superuser("+6281200000099", "a long password"))
    return client


@pytest.mark.parametrize("model", ["ride", "match", "finder", "beacon", "payment", "candidate"])
def test_lists_can_be_opened_and_searched_by_number_and_name(
    staff: Client, dewi: User, putri: User, sari: User, model: str
) -> None:
    arrive(dewi, putri, tracked_km=1)
    for query, found in (
        ("", True),
        ("0812-0000 0", True),
        ("dewi" if model == "beacon" else "putri", True),
        ("Nobody", False),
    ):
        page = staff.get(f"/admin/rides/{model}/", {"q": query})
        assert page.status_code == 200
        assert (b"1 " + model.encode() in page.content) == found


def test_a_record_is_found_by_its_id_and_an_event_by_what_it_is_about(staff: Client, dewi: User, putri: User) -> None:
    ride = book(dewi, putri)
    stranger = "00000000-0000-4000-8000-000000000000"
    for path, query, found in (
        ("rides/ride", ride.pk, b"1 ride"),
        ("rides/match", ride.match_id, b"1 match"),
        ("rides/ride", ride.match_id, b"1 ride"),
        ("rides/candidate", ride.match.finder_id, b"1 candidate"),
        ("rides/payment", stranger, b"0 payments"),
        ("rides/ride", stranger, b"0 rides"),
        ("events/outboxevent", ride.pk, b"1 outbox event"),
        ("events/outboxevent", ride.match_id, b"3 outbox events"),
        ("events/outboxevent", stranger, b"0 outbox events"),
        ("events/outboxevent", "ride", b"0 outbox events"),
    ):
        assert found in staff.get(f"/admin/{path}/", {"q": str(query)}).content, (path, query)
