import json

import pytest
from django.test import Client

from tests.api import ApiClient
from users.models import User
from users.sms import sms_senders

pytestmark = pytest.mark.django_db
ID = {"Accept-Language": "id-ID,id;q=0.9,en;q=0.5"}


def test_pages_are_in_the_language_of_the_browser(client: Client, settings: object) -> None:
    """Indonesian where it is asked for, English for everybody else."""
    for headers, text in ((ID, "Masuk"), ({"Accept-Language": "fr"}, "Log in"), ({}, "Log in")):
        page = client.get("/admin/login/", headers=headers)
        assert text in page.content.decode()
        assert "Accept-Language" in page.headers["Vary"]


def test_the_texts_of_scripts_are_translated(client: Client) -> None:
    """The pages read them from `texts.js`."""
    assert "Cari pengemudi" not in client.get("/texts.js").content.decode()
    assert "Pengemudi Anda sedang menuju Anda." in client.get("/texts.js", headers=ID).content.decode()


def test_a_persons_page_is_translated(client: Client, putri: User) -> None:
    """Panels, labels and the names of tables."""
    client.force_login(User.objects.create_superuser("+6281200000099", "a long password"))
    page = client.get(f"/admin/users/user/{putri.pk}/change/", headers=ID).content.decode()
    for text in ("Siapa", "Penumpang", "Tidak tersambung.", "Nama lengkap", 'lang="id"'):
        assert text in page, text


def test_the_reasons_of_rest_are_for_people(putri: User) -> None:
    """The code stays, the message is in the language of the app; security messages are always the contract's."""
    anybody = ApiClient(headers=ID)
    answer = anybody.post("/api/auth/otp/", {"msisdn": "12"}).json()
    assert (answer["code"], answer["fields"]["msisdn"]) == (
        "VALIDATION_FAILED", ["Isian ini harus nomor telepon yang sah seperti +6281200000001."],
    )  # fmt: skip
    answer = anybody.post("/api/auth/token/", {"msisdn": putri.msisdn, "otp": "000000"}).json()
    assert answer["message"] == "Authentication required"


def test_the_code_is_sent_in_the_language_of_the_app(capsys: pytest.CaptureFixture[str]) -> None:
    """English without one, as the contract has it."""
    body = {"msisdn": "+6281200000009"}
    ApiClient(headers={}).post("/api/auth/otp/", body)
    sms_senders().settle()
    assert "is your NebengJek code." in capsys.readouterr().out
    ApiClient(headers=ID).post("/api/auth/otp/", body)
    sms_senders().settle()
    assert "adalah kode NebengJek Anda." in capsys.readouterr().out


def test_documents_for_developers_are_in_english(client: Client) -> None:
    """A page is in one language."""
    assert 'lang="en"' in client.get("/docs/", headers=ID).content.decode()
    english = client.get("/api/schema/?format=json").content
    assert client.get("/api/schema/?format=json", headers=ID).content == english
    json.loads(english)
