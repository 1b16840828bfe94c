from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.conf import settings
from django.test import Client
from django.utils import timezone

from rides.models import Ride
from tests.api import as_user
from tests.cast import arrive, book, propose
from users.models import Block, TokenAnswer, User


def test_a_passenger_registers_a_vehicle_and_gets_tokens_of_a_driver(putri: User) -> None:
    answer = as_user(putri).post("/api/drivers/", {"vehicle_type": "car", "vehicle_plate": " b  1234 xyz "})
    assert answer.status_code == 201
    body = answer.json()
    assert body["user"]["role"] == "driver"
    assert body["user"]["driver"] == {"vehicle_type": "car", "vehicle_plate": "B 1234 XYZ"}
    me = Client().get("/api/me/", headers={"Authorization": f"Bearer {body['access']}"})
    assert me.json()["role"] == "driver"


def test_a_lost_registration_is_asked_for_again(putri: User) -> None:
    """The same call with the token that it ended gets the same answer, for a minute; another call does not."""
    me, vehicle = as_user(putri), {"vehicle_type": "car", "vehicle_plate": "B 1 X"}
    first = me.post("/api/drivers/", vehicle)
    again = me.post("/api/drivers/", vehicle)
    assert (again.status_code, again.json()) == (201, first.json())
    assert me.post("/api/drivers/", {**vehicle, "vehicle_plate": "B 2 X"}).status_code == 401
    assert me.get("/api/me/").status_code == 401
    assert as_user(User.objects.get()).post("/api/drivers/", vehicle).status_code == 409
    TokenAnswer.objects.update(answered_at=timezone.now() - timedelta(seconds=61))
    assert me.post("/api/drivers/", vehicle).status_code == 401


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"vehicle_type": "plane", "vehicle_plate": "B 1 X"}, "vehicle_type"),
        ({"vehicle_type": "car", "vehicle_plate": "!"}, "vehicle_plate"),
        ({"vehicle_type": "car", "vehicle_plate": "B" * 17}, "vehicle_plate"),
        ({"vehicle_type": "car"}, "vehicle_plate"),
    ],
)
def test_a_bad_registration_names_the_field(putri: User, body: dict[str, str], field: str) -> None:
    answer = as_user(putri).post("/api/drivers/", body)
    assert answer.status_code == 400
    assert answer.json()["code"] == "VALIDATION_FAILED"
    assert list(answer.json()["fields"]) == [field]


def test_a_driver_registers_once_and_nobody_while_looking(dewi: User, putri: User) -> None:
    propose(dewi, putri)
    for user in (dewi, putri):
        answer = as_user(user).post("/api/drivers/", {"vehicle_type": "car", "vehicle_plate": "B 1 X"})
        assert (answer.status_code, answer.json()["code"]) == (409, "VALIDATION_FAILED")


def test_own_rides_are_listed_newest_first_in_pages(dewi: User, putri: User, tono: User) -> None:
    for _ in range(21):
        book(dewi, putri)
        Ride.objects.update(status="CANCELLED")
    page = as_user(putri).get("/api/rides/").json()
    assert (page["count"], page["previous"], len(page["results"])) == (21, None, 20)
    newest = Ride.objects.order_by("-created_at")[0]
    assert page["results"][0]["ride_id"] == str(newest.pk)
    assert len(as_user(dewi).get(page["next"]).json()["results"]) == 1
    assert as_user(tono).get("/api/rides/").json()["count"] == 0


def test_the_list_costs_the_same_queries_however_long_it_is(
    dewi: User, putri: User, django_assert_max_num_queries: Any
) -> None:
    for _ in range(5):
        book(dewi, putri)
        Ride.objects.update(status="CANCELLED")
    client = as_user(putri)
    with django_assert_max_num_queries(3):
        client.get("/api/rides/")


def test_a_ride_is_shown_to_its_parties_and_to_nobody_else(dewi: User, putri: User, tono: User) -> None:
    ride = arrive(dewi, putri, tracked_km=1)
    for user in (dewi, putri):
        body = as_user(user).get(f"/api/rides/{ride.pk}/").json()
        assert body["payment"]["total_cost"] == 3000
        assert set(body["ledger"][0]) == {"entry_id", "distance_km", "cost", "created_at"}
        assert sum(line["amount"] for line in body["lines"]) == body["adjusted_cost"]
        track = as_user(user).get(body["track_url"].removeprefix(settings.PUBLIC_URL)).json()
        assert (track["count"], set(track["results"][0])) == (21, {"latitude", "longitude", "timestamp", "accepted"})
    assert as_user(tono).get(f"/api/rides/{ride.pk}/track/").status_code == 404
    stranger, nothing = (as_user(tono).get(f"/api/rides/{pk}/") for pk in (ride.pk, uuid4()))
    assert stranger.status_code == nothing.status_code == 404
    assert stranger.json() == nothing.json()
    assert Client().get(f"/api/rides/{ride.pk}/").status_code == 401


def test_a_ride_shows_its_people_until_they_are_forgotten(dewi: User, putri: User) -> None:
    """In the list and in detail, to both; gone after `CARD_RETENTION`."""
    ride = arrive(dewi, putri)
    for user in (dewi, putri):
        client = as_user(user)
        [listed] = client.get("/api/rides/").json()["results"]
        detail = client.get(f"/api/rides/{ride.pk}/").json()
        for body in (listed, detail):
            assert body["driver"] == {"full_name": "Dewi", "vehicle_type": "motorcycle", "vehicle_plate": "B 1234 XYZ"}
            assert body["passenger"] == {"full_name": "Putri"}
    Ride.objects.update(arrived_at=timezone.now() - timedelta(days=8))
    assert not {"driver", "passenger"} & set(as_user(putri).get(f"/api/rides/{ride.pk}/").json())
    assert not {"driver", "passenger"} & set(as_user(putri).get("/api/rides/").json()["results"][0])


def test_the_other_side_of_a_ride_is_blocked(dewi: User, putri: User, tono: User) -> None:
    """Again and again with the same answer; 404 for a stranger."""
    ride = book(dewi, putri)
    path = f"/api/rides/{ride.pk}/block/"
    assert [as_user(putri).post(path).status_code for _ in range(2)] == [204, 204]
    assert as_user(tono).post(path).status_code == 404
    assert list(Block.objects.values_list("blocker", "blocked")) == [(putri.pk, dewi.pk)]


def test_the_qr_code_of_a_payment_is_a_picture(dewi: User, putri: User) -> None:
    ride = arrive(dewi, putri, tracked_km=1)
    answer = Client().get(f"/api/payments/{ride.payment.pk}/qr.svg")
    assert answer["Content-Type"] == "image/svg+xml"
    assert b'xmlns="http://www.w3.org/2000/svg"' in answer.content
    assert Client().get(f"/api/payments/{uuid4()}/qr.svg").status_code == 404
    assert Client().post(f"/api/payments/{ride.payment.pk}/qr.svg").status_code == 405


def test_a_driver_changes_and_leaves_by_rest(dewi: User, putri: User) -> None:
    """Another vehicle with the same tokens; then a passenger again, with a new login."""
    client = as_user(dewi)
    answer = client.put("/api/drivers/", {"vehicle_type": "van", "vehicle_plate": " b 2 y "}, "application/json")
    assert answer.status_code == 200
    assert answer.json()["driver"] == {"vehicle_type": "van", "vehicle_plate": "B 2 Y"}
    assert client.delete("/api/drivers/").status_code == 204
    assert client.get("/api/me/").status_code == 401
    assert as_user(dewi).get("/api/me/").json()["role"] == "passenger"


@pytest.mark.parametrize("method", ["put", "delete"])
def test_changing_and_leaving_is_refused_on_a_ride_and_to_passengers(dewi: User, putri: User, method: str) -> None:
    """409 with the body of an error."""
    book(dewi, putri)
    for user in (dewi, putri):
        body = {"vehicle_type": "van", "vehicle_plate": "B 2 Y"}
        answer = getattr(as_user(user), method)("/api/drivers/", body, "application/json")
        assert (answer.status_code, answer.json()["code"]) == (409, "VALIDATION_FAILED")
    assert Client().delete("/api/drivers/").status_code == 401
