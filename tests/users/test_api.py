from typing import Any

import pytest
from django.test import Client

from rides.services.rides import ride_cancel
from tests.api import ApiClient, as_user
from tests.cast import book
from tests.users.test_names import SCRIPTS
from users.codes import code_create
from users.models import User
from users.tokens import tokens_issue

pytestmark = pytest.mark.django_db
ANYBODY = ApiClient(headers={})
NUMBER = "+6281200000009"
UNAUTHORIZED = {"code": "UNAUTHORIZED", "message": "Authentication required"}


def test_login_from_the_code_to_the_profile(capsys: pytest.CaptureFixture[str]) -> None:
    answer = ANYBODY.post("/api/auth/otp/", {"msisdn": "081200000009"})
    assert (answer.status_code, answer.json()) == (202, {"expires_in": 300})
    code = capsys.readouterr().out.split()[3]
    answer = ANYBODY.post("/api/auth/token/", {"msisdn": "6281200000009", "otp": code})
    assert answer.status_code == 200
    body = answer.json()
    user = User.objects.get()
    expected = {"id": str(user.pk), "msisdn": NUMBER, "full_name": "", "role": "passenger", "is_active": True}
    assert body["user"] == expected
    me = Client().get("/api/me/", headers={"Authorization": f"Bearer {body['access']}"})
    assert me.json() == expected


def test_a_wrong_code_is_401_in_the_words_of_the_contract() -> None:
    answer = ANYBODY.post("/api/auth/token/", {"msisdn": NUMBER, "otp": "000000"})
    assert (answer.status_code, answer.json()) == (401, UNAUTHORIZED)


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/api/auth/otp/", {}, "msisdn"),
        ("/api/auth/otp/", {"msisdn": "12"}, "msisdn"),
        ("/api/auth/otp/", {"msisdn": ["+6281200000009"]}, "msisdn"),
        ("/api/auth/otp/", {"msisdn": "+14155552671"}, "msisdn"),
        ("/api/auth/token/", {"msisdn": NUMBER}, "otp"),
        ("/api/auth/token/", {"msisdn": NUMBER, "otp": "12345"}, "otp"),
        ("/api/auth/token/", {"msisdn": NUMBER, "otp": "\u00b9" * 6}, "otp"),
        ("/api/auth/otp/", {"msisdn": "0809 1 234567"}, "msisdn"),
        ("/api/auth/otp/", {"msisdn": "+62811000117 x12"}, "msisdn"),
        ("/api/auth/refresh/", {"refresh": None}, "refresh"),
        ("/api/auth/logout/", {}, "refresh"),
    ],
)
def test_a_bad_body_names_the_field(path: str, body: dict[str, Any], field: str) -> None:
    answer = ANYBODY.post(path, body)
    assert answer.status_code == 400
    assert answer.json()["code"] == "VALIDATION_FAILED"
    assert field in answer.json()["message"]
    assert list(answer.json()["fields"]) == [field]


@pytest.mark.parametrize(
    "body",
    ["", "{", "[" * 100_000, '{"msisdn": NaN}', b"\xff", '{"msisdn": "' + "1" * 20_000 + '"}'],
    ids=["empty", "cut off", "deep", "not a number", "not text", "long"],
)
def test_what_is_not_json_is_invalid_format(body: Any) -> None:
    answer = Client().post("/api/auth/otp/", body, content_type="application/json")
    assert (answer.status_code, answer.json()["code"]) == (400, "INVALID_FORMAT" if body else "VALIDATION_FAILED")


def test_a_body_that_is_no_object_is_refused() -> None:
    answer = ANYBODY.post("/api/auth/otp/", [1])
    assert (answer.status_code, answer.json()["code"]) == (400, "VALIDATION_FAILED")


def test_other_methods_types_and_paths_are_validation_errors(putri: User) -> None:
    assert (ANYBODY.get("/api/auth/otp/").status_code, ANYBODY.get("/api/nothing/").status_code) == (405, 404)
    form = Client().post("/api/auth/otp/", {"msisdn": NUMBER})
    assert form.status_code == 415
    for answer in (ANYBODY.get("/api/auth/otp/"), ANYBODY.get("/api/nothing/"), form, ANYBODY.post("/api/auth/otp")):
        assert answer.json()["code"] == "VALIDATION_FAILED"


def test_tokens_and_profiles_are_in_nobodys_cache(putri: User) -> None:
    """Refusals too, since they may quote a number."""
    code = code_create(msisdn=putri.msisdn)
    answers = [
        ANYBODY.post("/api/auth/token/", {"msisdn": putri.msisdn, "otp": code}),
        ANYBODY.post("/api/auth/otp/", {"msisdn": "12"}),
        as_user(putri).get("/api/me/"),
        ANYBODY.get("/api/me/"),
    ]
    assert [answer.headers["Cache-Control"] for answer in answers] == ["no-store"] * 4


def test_refresh_and_logout(putri: User) -> None:
    pair = tokens_issue(putri)
    fresh = ANYBODY.post("/api/auth/refresh/", {"refresh": pair["refresh"]})
    assert set(fresh.json()) == {"access", "refresh"}
    assert ANYBODY.post("/api/auth/refresh/", {"refresh": pair["refresh"]}).json() == fresh.json()
    assert ANYBODY.post("/api/auth/logout/", {"refresh": fresh.json()["refresh"]}).status_code == 204
    me = Client().get("/api/me/", headers={"Authorization": f"Bearer {fresh.json()['access']}"})
    assert me.status_code == 401


def test_a_new_owner_of_a_number_sees_nothing_of_the_old_one(putri: User) -> None:
    """Name and rides stay hidden until the name is confirmed; the profile says that it is not."""
    code = code_create(msisdn=putri.msisdn)
    session = ANYBODY.post("/api/auth/token/", {"msisdn": putri.msisdn, "otp": code}).json()
    assert (session["user"]["full_name"], session["user"]["name_confirmed"]) == ("", False)
    me = ApiClient(headers={"Authorization": f"Bearer {session['access']}"})
    assert "Putri" not in me.get("/api/me/").content.decode()
    profile = me.patch("/api/me/", {"full_name": "putri"}).json()
    assert (profile["full_name"], "name_confirmed" in profile) == ("putri", False)


@pytest.mark.parametrize("name", SCRIPTS.values(), ids=SCRIPTS)
def test_a_name_may_be_of_any_script(putri: User, name: str) -> None:
    """It comes back as it was typed, in composed form."""
    me = as_user(putri)
    assert me.patch("/api/me/", {"full_name": f" \u202b{name}\u202c "}).json()["full_name"] == name
    assert me.get("/api/me/").json()["full_name"] == name


@pytest.mark.parametrize("name", ["a\nb", "a\x1b[31mb", "a\u2028b", "a\ud800b"])
def test_a_name_with_control_characters_is_refused(putri: User, name: str) -> None:
    """Staff would read the rest of the line in another colour, or on another line."""
    answer = as_user(putri).patch("/api/me/", {"full_name": name})
    assert (answer.status_code, list(answer.json()["fields"])) == (400, ["full_name"])


def test_an_account_ends_with_its_data(dewi: User, putri: User) -> None:
    """204 once; the token has ended with it. During a ride it is 409, and nothing changes."""
    ride = book(dewi, putri)
    answer = as_user(putri).delete("/api/me/")
    assert (answer.status_code, answer.json()["code"]) == (409, "VALIDATION_FAILED")
    ride_cancel(user_id=putri.pk, ride_id=ride.pk)
    me = as_user(putri)
    assert me.delete("/api/me/").status_code == 204
    assert me.delete("/api/me/").status_code == 401
    assert not User.objects.filter(msisdn=putri.msisdn).exists()


def test_only_the_name_of_a_profile_can_be_written(putri: User) -> None:
    me = as_user(putri)
    assert me.patch("/api/me/", {"full_name": "Putri Ayu"}).json()["full_name"] == "Putri Ayu"
    assert me.patch("/api/me/", {}).json()["full_name"] == "Putri Ayu"
    answer = me.patch("/api/me/", {"role": "driver", "full_name": "X"})
    assert (answer.status_code, list(answer.json()["fields"])) == (400, ["role"])
    assert me.patch("/api/me/", {"full_name": "x" * 151}).status_code == 400
    assert me.patch("/api/me/", {"full_name": "a\u0000b"}).status_code == 400
    putri.refresh_from_db()
    assert (putri.role, putri.full_name) == ("passenger", "Putri Ayu")


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer x", "Token x", "Bearer \xff", "Basic dTpw"])
def test_without_a_good_token_there_is_nothing_to_see(header: str) -> None:
    answer = Client().get("/api/me/", headers={"Authorization": header})
    assert (answer.status_code, answer.json()) == (401, UNAUTHORIZED)
    assert answer["WWW-Authenticate"] == "Bearer"


def test_too_many_codes_for_a_number_are_429(settings: Any) -> None:
    settings.OTP_MAX_PER_HOUR = 1
    assert ANYBODY.post("/api/auth/otp/", {"msisdn": NUMBER}).status_code == 202
    answer = ANYBODY.post("/api/auth/otp/", {"msisdn": NUMBER})
    assert (answer.status_code, answer.json()["code"]) == (429, "RATE_LIMIT")
    assert 3500 < int(answer["Retry-After"]) <= 3600


def test_a_code_of_an_old_number_is_no_way_in_for_another(putri: User) -> None:
    code = code_create(msisdn=putri.msisdn)
    assert ANYBODY.post("/api/auth/token/", {"msisdn": NUMBER, "otp": code}).status_code == 401
