from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.db.models import F
from django.utils import timezone
from rest_framework_simplejwt.token_blacklist.models import BlacklistedToken, OutstandingToken

from common.errors import RateLimited, Unauthorized
from events.models import OutboxEvent
from users import services
from users.codes import code_create
from users.models import KnownAddress, Suspicion, TokenAnswer, User
from users.sms import sms_senders
from users.tallies import tallies
from users.tokens import authenticate, tokens_issue

pytestmark = pytest.mark.django_db
NUMBER = "+6281200000009"
HOME = "203.0.113.7"


def test_the_code_goes_out_as_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    services.login_request(msisdn=NUMBER, address=HOME)
    sms_senders().settle()
    line = capsys.readouterr().out
    assert line.startswith(f"SMS to {NUMBER}: ")
    assert line.endswith(" is your NebengJek code.\n")
    code = line.split()[3]
    assert services.login(msisdn=NUMBER, otp=code, address=HOME).user.msisdn == NUMBER


def test_the_first_login_makes_a_passenger_and_the_next_finds_him() -> None:
    first = services.login(msisdn=NUMBER, otp=code_create(msisdn=NUMBER), address=HOME).user
    assert (first.role, first.has_usable_password()) == ("passenger", False)
    assert services.login(msisdn=NUMBER, otp=code_create(msisdn=NUMBER), address=HOME).user == first


def test_a_login_makes_its_address_known() -> None:
    """Each address of a login is remembered once."""
    for _ in range(2):
        services.login(msisdn=NUMBER, otp=code_create(msisdn=NUMBER), address=HOME)
    assert KnownAddress.objects.get().address == HOME


def test_the_cap_over_all_is_counted_and_logged(settings: Any, caplog: pytest.LogCaptureFixture) -> None:
    """Operators see the alarm in the log, once a minute, and in the metrics."""
    settings.OTP_MAX_PER_HOUR, settings.OTP_MAX_PER_HOUR_OVERALL = 3, 1
    services.login_request(msisdn="+6281200000010", address=HOME)
    for _ in range(3):
        with pytest.raises(RateLimited):
            services.login_request(msisdn=NUMBER, address=HOME)
    assert tallies()[Suspicion.CODES_CAPPED] == 3
    assert caplog.text.count("OTP_MAX_PER_HOUR_OVERALL") == 1


def test_a_wrong_code_makes_nobody() -> None:
    with pytest.raises(Unauthorized):
        services.login(msisdn=NUMBER, otp="000000", address=HOME)
    assert not User.objects.exists()


def test_who_was_shut_out_does_not_get_in_with_a_code(putri: User) -> None:
    services.user_deactivate(user_id=putri.pk)
    with pytest.raises(Unauthorized):
        services.login(msisdn=putri.msisdn, otp=code_create(msisdn=putri.msisdn), address=HOME)


def enter(user: User) -> services.Session:
    """Log in with a new code."""
    code = code_create(msisdn=user.msisdn, address=HOME)
    return services.login(msisdn=user.msisdn, otp=code, address=HOME)


def later(seconds: float) -> None:
    """Let the answers so far be older."""
    TokenAnswer.objects.update(answered_at=F("answered_at") - timedelta(seconds=seconds))


def test_a_refresh_gives_the_present_role(putri: User) -> None:
    """Each new pair can be exchanged in turn."""
    first = tokens_issue(putri)
    second = services.tokens_refresh(refresh=first["refresh"])
    assert authenticate(second["access"])[0] == putri
    assert services.tokens_refresh(refresh=second["refresh"]) not in (first, second)


def test_a_lost_refresh_is_asked_for_again(putri: User) -> None:
    """Four tabs, or one whose answer was lost, get the same new pair, also when that was exchanged in turn."""
    first = tokens_issue(putri)["refresh"]
    pairs = [services.tokens_refresh(refresh=first) for _ in range(4)]
    later(59)
    pairs.append(services.tokens_refresh(refresh=first))
    assert all(pair == pairs[0] for pair in pairs)
    services.tokens_refresh(refresh=pairs[0]["refresh"])
    assert services.tokens_refresh(refresh=first) == pairs[0]
    assert authenticate(pairs[0]["access"])[0] == putri
    assert not OutboxEvent.objects.exists()


def test_a_used_refresh_token_ends_all_that_came_of_it(putri: User, caplog: pytest.LogCaptureFixture) -> None:
    """Used after the grace it is a stolen one, or the app's memory was stolen: everything ends, logged and counted."""
    first = tokens_issue(putri)["refresh"]
    second = services.tokens_refresh(refresh=first)
    later(61)
    with pytest.raises(Unauthorized):
        services.tokens_refresh(refresh=first)
    with pytest.raises(Unauthorized):
        services.tokens_refresh(refresh=second["refresh"])
    with pytest.raises(Unauthorized):
        authenticate(second["access"])
    assert tallies()[Suspicion.REFRESH_REUSED] == 1
    assert str(putri.pk) in caplog.text
    assert putri.msisdn not in caplog.text
    assert OutboxEvent.objects.get().subject == "user.revoked"


def test_an_old_token_does_not_end_a_newer_login(putri: User) -> None:
    """Tokens that have ended with their version are refused, and harm nobody."""
    old = tokens_issue(putri)["refresh"]
    services.tokens_refresh(refresh=old)
    services.user_log_out(user_id=putri.pk)
    putri.refresh_from_db()
    fresh = tokens_issue(putri)
    later(61)
    with pytest.raises(Unauthorized):
        services.tokens_refresh(refresh=old)
    assert authenticate(fresh["access"])
    assert tallies()[Suspicion.REFRESH_REUSED] == 0


def test_after_a_logout_nothing_is_given_again(putri: User) -> None:
    """The grace is for lost answers; a logout within it counts."""
    first = tokens_issue(putri)["refresh"]
    services.tokens_refresh(refresh=first)
    services.logout(refresh=first)
    for _ in range(2):
        with pytest.raises(Unauthorized):
            services.tokens_refresh(refresh=first)


def test_a_lost_login_is_asked_for_again(putri: User) -> None:
    """The same code from the same address within a minute gives the same tokens; otherwise it is used."""
    code = code_create(msisdn=putri.msisdn, address=HOME)
    first = services.login(msisdn=putri.msisdn, otp=code, address=HOME)
    assert services.login(msisdn=putri.msisdn, otp=code, address=HOME) == first
    with pytest.raises(Unauthorized):
        services.login(msisdn=putri.msisdn, otp=code, address="198.51.100.1")
    with pytest.raises(Unauthorized):
        services.login(msisdn=putri.msisdn, otp=f"{(int(code) + 1) % 10**6:06d}", address=HOME)
    later(61)
    with pytest.raises(Unauthorized):
        services.login(msisdn=putri.msisdn, otp=code, address=HOME)


def test_a_used_code_can_be_guessed_no_more_often_than_another(putri: User) -> None:
    """The minute in which a login can be repeated has the tries of the code."""
    code = code_create(msisdn=putri.msisdn, address=HOME)
    services.login(msisdn=putri.msisdn, otp=code, address=HOME)
    for _ in range(5):
        with pytest.raises(Unauthorized):
            services.login(msisdn=putri.msisdn, otp=f"{(int(code) + 1) % 10**6:06d}", address=HOME)
    with pytest.raises(Unauthorized):
        services.login(msisdn=putri.msisdn, otp=code, address=HOME)


@pytest.mark.django_db(transaction=True)
def test_of_many_at_once_all_get_the_same(putri: User, settings: Any) -> None:
    """Refreshes and logins that race each other are one."""
    settings.SINGLE_DEVICE = False  # or the login ends the token that is refreshed
    refresh = tokens_issue(putri)["refresh"]
    code = code_create(msisdn=putri.msisdn, address=HOME)

    def once(number: int) -> str:
        try:
            if number % 2:
                return services.tokens_refresh(refresh=refresh)["refresh"]
            return services.login(msisdn=putri.msisdn, otp=code, address=HOME).tokens["refresh"]
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as threads:
        assert len(set(threads.map(once, range(10)))) == 2
    assert authenticate(services.tokens_refresh(refresh=refresh)["access"])


def test_old_answers_and_expired_tokens_are_deleted(putri: User) -> None:
    """What is past its time is not kept."""
    services.tokens_refresh(refresh=tokens_issue(putri)["refresh"])
    assert services.purge_tokens() == 0
    later(61)
    assert services.purge_tokens() == 1
    OutstandingToken.objects.update(expires_at=timezone.now())
    assert services.purge_tokens() > 0
    assert not BlacklistedToken.objects.exists()


def test_no_token_is_kept(putri: User) -> None:
    """Who reads the database cannot log in with what is there."""
    pair = services.tokens_refresh(refresh=tokens_issue(putri)["refresh"])
    kept = str([*OutstandingToken.objects.values(), *TokenAnswer.objects.values()])
    for token in pair.values():
        assert str(token).rpartition(".")[2] not in kept


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


def test_a_login_on_a_new_device_ends_the_older_sessions(putri: User, settings: Any) -> None:
    """The old device is out at once, at REST and on its socket, unless `SINGLE_DEVICE` is off."""
    settings.SINGLE_DEVICE = False
    first, second = (enter(putri) for _ in range(2))
    assert authenticate(first.tokens["access"])
    assert authenticate(second.tokens["access"])
    settings.SINGLE_DEVICE = True
    third = enter(putri)
    for session in (first, second):
        with pytest.raises(Unauthorized):
            authenticate(session.tokens["access"])
        with pytest.raises(Unauthorized):
            services.tokens_refresh(refresh=session.tokens["refresh"])
    assert authenticate(third.tokens["access"])
    assert OutboxEvent.objects.get().data["token_version"] == third.user.token_version == 1


def test_the_first_session_of_a_user_ends_nothing(tono: User) -> None:
    """Tokens of other issuers, which carry no version, go on after a first login."""
    assert enter(tono).user.token_version == 0
    assert not OutboxEvent.objects.exists()


def test_staff_who_log_in_with_a_phone_stay_in_the_admin() -> None:
    """Sessions of the admin end with the version, so a login by code leaves it alone."""
    boss = User.objects.create_superuser("+6281200000099", "a long password", full_name="Boss")
    hash_before = boss.get_session_auth_hash()
    enter(boss)
    assert enter(boss).user.get_session_auth_hash() == hash_before
    assert enter(boss).user.shown_name == "Boss"


def test_a_name_is_hidden_until_its_owner_confirms_it(putri: User) -> None:
    """The number may have a new owner; the same name, however spelt, is the proof."""
    user = enter(putri).user
    assert (user.shown_name, user.full_name, user.name_confirmed) == ("", "Putri", False)
    assert user.history_from is not None
    user = services.profile_update(user_id=putri.pk, full_name=" PUTRI ")
    assert (user.shown_name, user.history_from, user.owner_since) == (" PUTRI ", None, None)


def test_another_name_is_a_new_owner(putri: User) -> None:
    """What was before stays hidden, also when the new owner confirms the new name later."""
    taken_over = enter(putri).user.history_from
    user = services.profile_update(user_id=putri.pk, full_name="Sari")
    assert (user.shown_name, user.history_from, user.owner_since) == ("Sari", taken_over, taken_over)
    assert enter(putri).user.history_from != taken_over
    user = services.profile_update(user_id=putri.pk, full_name="Sari")
    assert (user.history_from, user.owner_since) == (taken_over, taken_over)


def test_who_has_no_name_has_nothing_to_confirm() -> None:
    """A nameless account is its owner's as before."""
    user = User.objects.create_user(NUMBER)
    assert enter(user).user.name_confirmed
