from typing import Any
from urllib.parse import quote

import pytest
from django.contrib.staticfiles import finders
from django.test import Client

from users.models import User
from users.services import login_request
from web.demo import check_demo

NUMBER = "+6281200000003"


def code_of(client: Client, msisdn: str) -> Any:
    return client.get(f"/demo/codes/{quote(msisdn)}/")


@pytest.fixture
def demo(settings: Any) -> None:
    settings.DEBUG = settings.DEMO = True


def test_the_front_door_is_two_phones(demo: None, client: Client) -> None:
    page = client.get("/")
    text = page.content.decode()
    assert page.status_code == 200
    assert text.count('class="phone card"') == 2
    assert "style=" not in text
    assert "<style" not in text


@pytest.mark.parametrize(("debug", "on"), [(True, False), (False, True), (False, False)])
def test_without_the_demo_it_is_the_admin(settings: Any, client: Client, debug: bool, on: bool) -> None:
    settings.DEBUG, settings.DEMO = debug, on
    answer = client.get("/")
    assert (answer.status_code, answer.headers["Location"]) == (302, "admin/")


def test_every_script_of_the_page_exists(demo: None, client: Client) -> None:
    text = client.get("/").content.decode()
    for name in ("web/demo.js", "web/demo.css", "web/nebengjek.js", "web/nebengjek.d.ts"):
        assert finders.find(name), name
    assert "/static/web/demo.js" in text


def test_the_page_is_shown_the_newest_code(demo: None, db: None, client: Client) -> None:
    login_request(msisdn=NUMBER, address="")
    first = code_of(client, NUMBER).json()["code"]
    login_request(msisdn=NUMBER, address="")
    answer = code_of(client, NUMBER)
    session = client.post("/api/auth/token/", {"msisdn": NUMBER, "otp": answer.json()["code"]}, "application/json")
    assert session.status_code == 200
    assert len(first) == 6
    assert "no-store" in answer.headers["Cache-Control"]


def test_a_number_is_found_in_any_spelling_and_others_are_not(demo: None, db: None, client: Client) -> None:
    login_request(msisdn=NUMBER, address="")
    assert code_of(client, "081200000003").status_code == 200
    for other in ("+6281200000004", "nonsense", "+15550100"):
        assert code_of(client, other).status_code == 404


@pytest.mark.parametrize(("debug", "on"), [(True, False), (False, True), (False, False)])
def test_no_code_is_shown_without_the_demo(settings: Any, db: None, client: Client, debug: bool, on: bool) -> None:
    settings.DEBUG, settings.DEMO = True, True
    login_request(msisdn=NUMBER, address="")
    assert code_of(client, NUMBER).status_code == 200
    settings.DEBUG, settings.DEMO = debug, on
    assert code_of(client, NUMBER).status_code == 404


def test_codes_of_staff_are_never_shown(demo: None, putri: User, client: Client) -> None:
    login_request(msisdn=putri.msisdn, address="")
    assert code_of(client, putri.msisdn).status_code == 200
    User.objects.filter(pk=putri.pk).update(is_staff=True)
    assert code_of(client, putri.msisdn).status_code == 404


def test_a_demo_with_debug_off_is_a_mistake(settings: Any) -> None:
    settings.DEMO, settings.DEBUG = True, True
    assert check_demo() == []
    settings.DEBUG = False
    (problem,) = check_demo()
    assert problem.id == "nebengjek.E013"
    assert problem.hint
