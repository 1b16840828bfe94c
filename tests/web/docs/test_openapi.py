"""Real answers of every REST call are what the OpenAPI document says."""

from __future__ import annotations

import copy
import json
from functools import cache
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client, override_settings
from jsonschema import Draft202012Validator

from tests.api import ApiClient, as_user
from tests.cast import arrive, book, make_user, propose
from tests.contract import FORMATS
from users.codes import code_create
from users.models import User
from users.tokens import tokens_issue
from web.docs.views import JSON, openapi

pytestmark = pytest.mark.django_db
MADE = json.loads(openapi(JSON))
OPEN = ("Health", "ErrorBody")
ANYBODY = ApiClient(headers={})
NUMBER = "+6281200000009"

CALLS = {
    ("/api/auth/otp/", "post"): {"202", "400", "429"},
    ("/api/auth/token/", "post"): {"200", "400", "401", "429"},
    ("/api/auth/refresh/", "post"): {"200", "400", "401", "429"},
    ("/api/auth/logout/", "post"): {"204", "400", "401", "429"},
    ("/api/me/", "get"): {"200", "401", "429"},
    ("/api/me/", "patch"): {"200", "400", "401", "429"},
    ("/api/me/", "delete"): {"204", "401", "409", "429"},
    ("/api/me/devices/", "get"): {"200", "401", "429"},
    ("/api/me/devices/", "post"): {"201", "400", "401", "429"},
    ("/api/me/devices/{device_id}/", "delete"): {"204", "401", "404", "429"},
    ("/api/searches/{finder_id}/", "get"): {"200", "401", "403", "404", "429"},
    ("/api/drivers/", "post"): {"201", "400", "401", "409", "429"},
    ("/api/drivers/", "put"): {"200", "400", "401", "409", "429"},
    ("/api/drivers/", "delete"): {"204", "401", "409", "429"},
    ("/api/rides/", "get"): {"200", "401", "404", "429"},
    ("/api/rides/{ride_id}/", "get"): {"200", "401", "404", "429"},
    ("/api/rides/{ride_id}/track/", "get"): {"200", "401", "404", "429"},
    ("/api/rides/{ride_id}/block/", "post"): {"204", "401", "404", "429"},
    ("/api/quotes/", "post"): {"201", "400", "401", "429"},
    ("/api/payments/{payment_id}/qr.svg", "get"): {"200", "404"},
    ("/api/payments/webhook/{gateway}/", "post"): {"200", "400", "404"},
    ("/api/realtime/stats/", "get"): {"200", "401", "403", "429"},
    ("/health/live", "get"): {"200"},
    ("/health/ready", "get"): {"200", "503"},
    ("/health/detailed", "get"): {"200", "401", "403", "503"},
    ("/metrics", "get"): {"200", "401", "403"},
}
"""The calls of the contract, and with what each is answered at least."""

WITHOUT_BODY = ("/api/rides/{ride_id}/block/",)
"""Calls that say everything by their address."""


def operation(path: str, method: str) -> dict[str, Any]:
    found: dict[str, Any] = MADE["paths"][path][method]
    return found


@cache
def schemas() -> dict[str, Any]:
    """Return the schemas, closed: what they do not know is a fault."""
    closed = copy.deepcopy(MADE["components"]["schemas"])
    for name, schema in closed.items():
        if name not in OPEN:
            schema["additionalProperties"] = False
    return dict(closed)


def faults(schema: dict[str, Any], value: Any) -> list[str]:
    whole = {**schema, "components": {"schemas": schemas()}}
    found = Draft202012Validator(whole, format_checker=FORMATS).iter_errors(value)
    return [f"{error.json_path}: {error.message}" for error in found]


def check(path: str, method: str, answer: Any, status: int) -> None:
    """Hold an answer against the document."""
    assert answer.status_code == status, answer.content
    said = operation(path, method)["responses"][str(status)]
    for name, header in said.get("headers", {}).items():
        assert name in answer.headers or not header["required"], name
    if "content" not in said:
        assert answer.content == b""
        return
    ((kind, content),) = said["content"].items()
    assert answer.headers["Content-Type"].split(";")[0] == kind
    if kind == "application/json":
        assert faults(content["schema"], answer.json()) == []


def test_every_call_of_the_contract_is_there_with_its_answers() -> None:
    found = {(path, method) for path, methods in MADE["paths"].items() for method in methods}
    assert found == set(CALLS)
    for (path, method), statuses in CALLS.items():
        assert statuses <= set(operation(path, method)["responses"]), path
        assert operation(path, method)["summary"]
        assert operation(path, method)["operationId"]


def test_the_generator_has_nothing_to_complain_about(capfd: pytest.CaptureFixture[str]) -> None:
    call_command("spectacular", "--validate", "--fail-on-warn", stdout=StringIO())
    assert "arning" not in capfd.readouterr().err


def test_every_refusal_has_the_body_of_an_error() -> None:
    for path, method in CALLS:
        for status, said in operation(path, method)["responses"].items():
            if status >= "400" and status != "503":
                assert said["content"]["application/json"]["schema"]["$ref"].endswith("/ErrorBody"), path
            if status == "429":
                assert said["headers"]["Retry-After"]["required"]


def test_who_needs_a_token_is_told() -> None:
    for path, method in CALLS:
        security = operation(path, method).get("security", [{}])
        if path.startswith("/api/auth/") or path.endswith(("qr.svg", "live", "ready", "{gateway}/")):
            assert security == [{}], path
        else:
            assert {"bearer": []} in security, path
            assert {} not in security, path
    assert set(MADE["components"]["securitySchemes"]) == {"bearer", "cookieAuth", "metricsToken"}


def test_every_example_is_what_the_document_says() -> None:
    count = 0
    for path, method in CALLS:
        said = operation(path, method)
        for part in (said.get("requestBody", {}), *said["responses"].values()):
            for content in part.get("content", {}).values():
                for example in content.get("examples", {}).values():
                    assert faults(content["schema"], example["value"]) == [], path
                    count += 1
    assert count > 50


def test_every_call_with_a_body_has_an_example_of_it() -> None:
    for path, method in CALLS:
        body = operation(path, method).get("requestBody")
        assert (body is not None) == (method in ("post", "put", "patch") and path not in WITHOUT_BODY)
        assert body is None or body["content"]["application/json"]["examples"], path


def test_logging_in_and_out_is_as_documented() -> None:
    check("/api/auth/otp/", "post", ANYBODY.post("/api/auth/otp/", {"msisdn": NUMBER}), 202)
    check("/api/auth/otp/", "post", ANYBODY.post("/api/auth/otp/", {"msisdn": "12"}), 400)
    check("/api/auth/otp/", "post", Client().post("/api/auth/otp/", {"msisdn": NUMBER}), 415)
    login = {"msisdn": NUMBER, "otp": code_create(msisdn=NUMBER, address="127.0.0.1")}
    session = ANYBODY.post("/api/auth/token/", login)
    check("/api/auth/token/", "post", session, 200)
    check("/api/auth/token/", "post", ANYBODY.post("/api/auth/token/", {**login, "msisdn": "+6281200000008"}), 401)
    pair = ANYBODY.post("/api/auth/refresh/", {"refresh": session.json()["refresh"]})
    check("/api/auth/refresh/", "post", pair, 200)
    check("/api/auth/logout/", "post", ANYBODY.post("/api/auth/logout/", {"refresh": pair.json()["refresh"]}), 204)
    check("/api/auth/logout/", "post", ANYBODY.post("/api/auth/logout/", {"refresh": pair.json()["refresh"]}), 401)


@override_settings(OTP_MAX_PER_HOUR=1)
def test_too_many_codes_are_refused_as_documented() -> None:
    ANYBODY.post("/api/auth/otp/", {"msisdn": NUMBER})
    check("/api/auth/otp/", "post", ANYBODY.post("/api/auth/otp/", {"msisdn": NUMBER}), 429)


@override_settings(API_THROTTLE=1)
def test_too_many_calls_are_refused_as_documented(putri: User) -> None:
    as_user(putri).get("/api/me/")
    check("/api/me/", "get", as_user(putri).get("/api/me/"), 429)


def test_profiles_and_registration_are_as_documented(dewi: User, putri: User) -> None:
    for user in (dewi, putri):
        check("/api/me/", "get", as_user(user).get("/api/me/"), 200)
        check("/api/me/", "patch", as_user(user).patch("/api/me/", {"full_name": "X"}), 200)
    check("/api/me/", "patch", as_user(putri).patch("/api/me/", {"role": "driver"}), 400)
    check("/api/me/", "get", ANYBODY.get("/api/me/"), 401)
    check("/api/me/", "get", ANYBODY.get("/api/me/", headers={"Accept": "text/html", **_bearer(putri)}), 406)
    vehicle = {"vehicle_type": "car", "vehicle_plate": "B 1234 XYZ"}
    check("/api/drivers/", "post", as_user(putri).post("/api/drivers/", vehicle), 201)
    check("/api/drivers/", "post", as_user(dewi).post("/api/drivers/", vehicle), 409)


def test_rides_are_as_documented_at_every_stage(dewi: User, joko: User, putri: User, sari: User, tono: User) -> None:
    for ride in (book(dewi, putri), arrive(joko, sari, tracked_km=2.5)):
        detail = f"/api/rides/{ride.pk}/"
        track = as_user(dewi if ride.driver_id == dewi.pk else joko).get(f"{detail}track/")
        check("/api/rides/{ride_id}/track/", "get", track, 200)
        for user in (ride.driver, ride.passenger):
            check("/api/rides/", "get", as_user(user).get("/api/rides/"), 200)
            check("/api/rides/{ride_id}/", "get", as_user(user).get(detail), 200)
        check("/api/rides/{ride_id}/", "get", as_user(tono).get(detail), 404)
    check("/api/rides/", "get", as_user(tono).get("/api/rides/"), 200)
    check("/api/rides/", "get", as_user(tono).get("/api/rides/?page=9"), 404)
    places = {
        "location": {"latitude": -6.2, "longitude": 106.8},
        "target_location": {"latitude": -6.3, "longitude": 107},
    }
    check("/api/quotes/", "post", as_user(sari).post("/api/quotes/", places), 201)
    check("/api/quotes/", "post", as_user(sari).post("/api/quotes/", {"location": places["location"]}), 400)
    block = f"/api/rides/{ride.pk}/block/"
    for user, status in ((ride.driver, 204), (ride.driver, 204), (tono, 404)):
        check("/api/rides/{ride_id}/block/", "post", as_user(user).post(block), status)
    unknown = ANYBODY.post("/api/payments/webhook/midtrans/", {})
    check("/api/payments/webhook/{gateway}/", "post", unknown, 404)
    bill = f"/api/payments/{ride.payment.pk}/qr.svg"
    check("/api/payments/{payment_id}/qr.svg", "get", ANYBODY.get(bill), 200)
    check(
        "/api/payments/{payment_id}/qr.svg", "get", ANYBODY.get(bill.replace(str(ride.payment.pk), str(ride.pk))), 404
    )


@override_settings(METRICS_TOKEN="secret", DEBUG=False)
def test_what_operators_read_is_as_documented(putri: User) -> None:
    staff = make_user("+6281200000099", "Staff", is_staff=True, is_superuser=True)
    check("/api/realtime/stats/", "get", as_user(staff).get("/api/realtime/stats/"), 200)
    check("/api/realtime/stats/", "get", as_user(putri).get("/api/realtime/stats/"), 403)
    check("/api/realtime/stats/", "get", ANYBODY.get("/api/realtime/stats/"), 401)
    check("/health/live", "get", ANYBODY.get("/health/live"), 200)
    ready = ANYBODY.get("/health/ready")
    check("/health/ready", "get", ready, ready.status_code)
    token = {"Authorization": "Bearer secret"}
    detailed = ANYBODY.get("/health/detailed", headers=token)
    check("/health/detailed", "get", detailed, detailed.status_code)
    for path in ("/health/detailed", "/metrics"):
        check(path, "get", ANYBODY.get(path), 401)
        check(path, "get", as_user(putri).get(path), 403)
    check("/metrics", "get", ANYBODY.get("/metrics", headers=token), 200)


def _bearer(user: User) -> dict[str, str]:
    return {"Authorization": f"Bearer {tokens_issue(user)['access']}"}


def test_devices_and_searches_are_answered_as_documented(dewi: User, putri: User) -> None:
    body = {"kind": "fcm", "token": "t"}
    made = as_user(dewi).post("/api/me/devices/", body)
    check("/api/me/devices/", "post", made, 201)
    check("/api/me/devices/", "post", as_user(dewi).post("/api/me/devices/", {**body, "kind": "fax"}), 400)
    check("/api/me/devices/", "get", as_user(dewi).get("/api/me/devices/"), 200)
    one = f"/api/me/devices/{made.json()['device_id']}/"
    check("/api/me/devices/{device_id}/", "delete", as_user(putri).delete(one), 404)
    check("/api/me/devices/{device_id}/", "delete", as_user(dewi).delete(one), 204)
    search = f"/api/searches/{propose(dewi, putri).finder_id}/"
    check("/api/searches/{finder_id}/", "get", as_user(putri).get(search), 403)
    User.objects.filter(pk=putri.pk).update(is_staff=True, is_superuser=True)
    check("/api/searches/{finder_id}/", "get", as_user(putri).get(search), 200)
