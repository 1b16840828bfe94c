from typing import Any

import pytest

from common.errors import Conflict, RateLimited, Unauthorized
from events.models import OutboxEvent
from users import services
from users.codes import code_create
from users.models import KnownAddress, Suspicion, User
from users.tallies import tallies
from users.tokens import authenticate, tokens_issue

pytestmark = pytest.mark.django_db
NUMBER = "+6281200000009"
HOME = "203.0.113.7"


def test_the_code_goes_out_as_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    services.login_request(msisdn=NUMBER, address=HOME)
    line = capsys.readouterr().out
    assert line.startswith(f"SMS to {NUMBER}: ")
    assert line.endswith(" is your NebengJek code.\n")
    code = line.split()[3]
    assert services.login(msisdn=NUMBER, otp=code, address=HOME).msisdn == NUMBER


def test_the_first_login_makes_a_passenger_and_the_next_finds_him() -> None:
    first = services.login(msisdn=NUMBER, otp=code_create(msisdn=NUMBER), address=HOME)
    assert (first.role, first.has_usable_password()) == ("passenger", False)
    assert services.login(msisdn=NUMBER, otp=code_create(msisdn=NUMBER), address=HOME) == first


def test_a_login_makes_its_address_known() -> None:
    """Each address of a login is remembered once."""
    for _ in range(2):
        services.login(msisdn=NUMBER, otp=code_create(msisdn=NUMBER), address=HOME)
    assert KnownAddress.objects.get().address == HOME


def test_the_cap_over_all_is_counted_and_logged(settings: Any, caplog: pytest.LogCaptureFixture) -> None:
    """Operators see the alarm in the log and in the metrics."""
    settings.OTP_MAX_PER_HOUR, settings.OTP_MAX_PER_HOUR_OVERALL = 3, 1
    services.login_request(msisdn="+6281200000010", address=HOME)
    with pytest.raises(RateLimited):
        services.login_request(msisdn=NUMBER, address=HOME)
    assert tallies()[Suspicion.CODES_CAPPED] == 1
    assert "OTP_MAX_PER_HOUR_OVERALL" in caplog.text


def test_a_wrong_code_makes_nobody() -> None:
    with pytest.raises(Unauthorized):
        services.login(msisdn=NUMBER, otp="000000", address=HOME)
    assert not User.objects.exists()


def test_who_was_shut_out_does_not_get_in_with_a_code(putri: User) -> None:
    services.user_deactivate(user_id=putri.pk)
    with pytest.raises(Unauthorized):
        services.login(msisdn=putri.msisdn, otp=code_create(msisdn=putri.msisdn), address=HOME)


def test_a_refresh_token_works_once_and_gives_the_present_role(putri: User) -> None:
    first = tokens_issue(putri)
    second = services.tokens_refresh(refresh=first["refresh"])
    assert authenticate(second["access"])[0] == putri
    with pytest.raises(Unauthorized):
        services.tokens_refresh(refresh=first["refresh"])
    services.tokens_refresh(refresh=second["refresh"])


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "\ud800"])
def test_what_is_no_refresh_token_is_refused(token: str) -> None:
    with pytest.raises(Unauthorized):
        services.tokens_refresh(refresh=token)


def test_an_access_token_does_not_refresh(putri: User) -> None:
    with pytest.raises(Unauthorized):
        services.tokens_refresh(refresh=tokens_issue(putri)["access"])


def test_logging_out_ends_every_token(putri: User) -> None:
    here, there = tokens_issue(putri), tokens_issue(putri)
    services.logout(refresh=here["refresh"])
    for pair in (here, there):
        with pytest.raises(Unauthorized):
            authenticate(pair["access"])
        with pytest.raises(Unauthorized):
            services.tokens_refresh(refresh=pair["refresh"])
    assert OutboxEvent.objects.get().data["token_version"] == 1


def test_a_profile_is_changed(putri: User) -> None:
    assert services.profile_update(user_id=putri.pk, full_name="Putri A.").full_name == "Putri A."


def test_shutting_out_and_letting_in_again(putri: User) -> None:
    token = tokens_issue(putri)["access"]
    assert services.user_deactivate(user_id=putri.pk)
    assert not services.user_deactivate(user_id=putri.pk)
    assert services.user_reactivate(user_id=putri.pk)
    assert not services.user_reactivate(user_id=putri.pk)
    with pytest.raises(Unauthorized):
        authenticate(token)
    assert OutboxEvent.objects.count() == 1


def test_a_driver_is_made_once(putri: User) -> None:
    services.driver_create(user_id=putri.pk, vehicle_type="car", vehicle_plate="B 1 X")
    with pytest.raises(Conflict):
        services.driver_create(user_id=putri.pk, vehicle_type="car", vehicle_plate="B 1 X")
