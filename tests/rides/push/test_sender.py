"""Who is pushed to, when, and from where."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any, ClassVar

import pytest
from django.db import connection, transaction
from django.utils import timezone
from py_vapid import Vapid

from rides.models import Device, DeviceReceipt, Finder, Match
from rides.push import sender as module
from rides.push.base import DeviceGone, Target, Wake
from rides.push.sender import push, push_sender, wake_up
from rides.services.finders import finder_continue
from rides.services.matches import match_confirm
from tests.cast import connect, disconnect, propose
from tests.rides.push.server import Browser, push_service
from users.models import User


class Recorder:
    """Keeps what it was told to send; tokens that begin with an exception's name raise it."""

    kinds: ClassVar[tuple[str, ...]] = ("fcm",)
    application_server_key = ""
    sent: ClassVar[list[tuple[str, Wake, int]]] = []
    threads: ClassVar[set[str]] = set()
    in_transaction: ClassVar[set[bool]] = set()

    def check(self, target: Target) -> None:
        """Take it."""

    def send(self, target: Target, wake: Wake, seconds: int) -> None:
        self.threads.add(threading.current_thread().name)
        self.in_transaction.add(connection.in_atomic_block)
        if target.token.startswith("gone"):
            raise DeviceGone
        if target.token.startswith("broken"):
            raise OSError("the service is away")
        self.sent.append((target.token, wake, seconds))


@pytest.fixture(autouse=True)
def recorder(settings: Any) -> Iterator[type[Recorder]]:
    settings.PUSH_BACKEND = f"{__name__}.Recorder"
    yield Recorder
    for kept in (Recorder.sent, Recorder.threads, Recorder.in_transaction):
        kept.clear()


def device_of(user: User, token: str = "", kind: str = "fcm") -> Device:
    return Device.objects.create(user=user, kind=kind, token=token or str(user.pk), registered_at=timezone.now())


def soon(seconds: float = 30) -> Wake:
    return Wake("match_proposal", timezone.now() + timedelta(seconds=seconds))


def test_all_devices_of_the_chosen_are_pushed_to(dewi: User, joko: User, tono: User) -> None:
    """Each once, for as long as it makes sense; nobody else's."""
    for user, token in ((dewi, "one"), (dewi, "two"), (joko, "three"), (tono, "stranger")):
        device_of(user, token)
    assert push([dewi.pk, joko.pk], soon()) == 3
    assert {(token, seconds) for token, _, seconds in Recorder.sent} == {("one", 29), ("two", 29), ("three", 29)}


def test_who_has_a_socket_is_not_woken(dewi: User, joko: User) -> None:
    """Unless it does not confirm."""
    device_of(dewi)
    device_of(joko)
    connection_of_dewi = connect(dewi)
    assert push([dewi.pk, joko.pk], soon(), only_away=True) == 1
    assert [token for token, _, _ in Recorder.sent] == [str(joko.pk)]
    assert push([dewi.pk], soon()) == 1
    disconnect(connection_of_dewi)
    assert push([dewi.pk], soon(), only_away=True) == 1


def test_nobody_is_woken_for_what_is_over(dewi: User, joko: User) -> None:
    """Nor a user who was deactivated, nor a device of a kind that the backend does not know."""
    device_of(dewi)
    assert push([dewi.pk], soon(0.5)) == 0
    assert push([dewi.pk], soon(-60)) == 0
    assert push([], soon()) == 0
    User.objects.filter(pk=dewi.pk).update(is_active=False)
    device_of(joko, kind="apns")
    assert push([dewi.pk, joko.pk], soon()) == 0


def test_a_device_that_is_gone_is_removed_and_others_are_sent_to(dewi: User, caplog: pytest.LogCaptureFixture) -> None:
    """A push service that is away keeps the device; its token is in no log."""
    for token in ("gone-secret", "broken-secret", "works"):
        device_of(dewi, token)
    with caplog.at_level(logging.INFO):
        assert push([dewi.pk], soon()) == 1
    assert set(Device.objects.values_list("token", flat=True)) == {"broken-secret", "works"}
    assert "the service is away" in caplog.text
    assert "secret" not in caplog.text


@pytest.mark.django_db(transaction=True)
def test_it_is_sent_after_the_commit_on_a_thread_of_its_own(dewi: User) -> None:
    """Never within a transaction, and not at all when that is rolled back."""
    device_of(dewi)
    with transaction.atomic():
        wake_up(dewi.pk, wake=soon())
        push_sender().settle()
        assert Recorder.sent == []
    push_sender().settle()
    assert len(Recorder.sent) == 1
    assert Recorder.in_transaction == {False}
    assert all(name.startswith("push") for name in Recorder.threads)
    with transaction.atomic():
        wake_up(dewi.pk, wake=soon())
        transaction.set_rollback(True)
    push_sender().settle()
    assert len(Recorder.sent) == 1


@pytest.mark.django_db(transaction=True)
def test_too_many_are_dropped(dewi: User, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """A push service that hangs holds up nobody and fills no memory; afterwards it goes on."""
    gate = threading.Event()
    monkeypatch.setattr(module, "WAITING", 2)
    monkeypatch.setattr(module, "push", lambda *_, **__: gate.wait(10))
    for _ in range(3):
        push_sender().put([dewi.pk], soon(), only_away=False)
    assert "one is dropped" in caplog.text
    gate.set()
    push_sender().settle()
    caplog.clear()
    push_sender().put([dewi.pk], soon(), only_away=False)
    push_sender().settle()
    assert caplog.text == ""


@pytest.mark.django_db(transaction=True)
def test_a_silent_phone_is_woken_for_its_offer(dewi: User, putri: User) -> None:
    """A phone that confirms is expected to; where it does not, the push goes out beside the next offer, once."""
    device_of(dewi)
    device_of(putri)
    DeviceReceipt.objects.create(user=dewi, seq=1, received_at=timezone.now())
    match = propose(dewi, putri)
    push_sender().settle()
    assert Recorder.sent == []
    for _ in range(2):
        Match.objects.update(receipt_due_at=timezone.now())
        Finder.objects.update(due_at=timezone.now())
        finder_continue(finder_id=match.finder_id)
    push_sender().settle()
    [(token, wake, _)] = Recorder.sent
    assert (token, wake) == (str(dewi.pk), Wake("match_proposal", match.expires_at))


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("is_away", [True, False])
def test_a_passenger_whose_app_sleeps_is_woken_when_a_driver_accepts(dewi: User, putri: User, is_away: bool) -> None:
    """With a socket they are told there."""
    device_of(putri)
    if not is_away:
        connect(putri)
    match = propose(dewi, putri)
    match_confirm(user_id=dewi.pk, match_id=match.pk, accepted=True)
    push_sender().settle()
    assert [wake.type for _, wake, _ in Recorder.sent] == ["match_confirm"] * is_away


@pytest.mark.django_db(transaction=True)
def test_a_browser_is_woken_and_a_dead_subscription_goes(dewi: User, settings: Any, tmp_path: Any) -> None:
    """The whole way, to a real push service."""
    key = Vapid()
    key.generate_keys()
    key.save_key(tmp_path / "key.pem")
    settings.PUSH_BACKEND = "rides.push.webpush.WebPush"
    settings.WEBPUSH_HOSTS = ["127.0.0.1"]
    settings.VAPID_PRIVATE_KEY, settings.VAPID_SUBJECT = str(tmp_path / "key.pem"), "mailto:ops@example.com"
    browser = Browser()
    with push_service() as service:
        for path in ("/lives", "/gone"):
            made = Device(user=dewi, kind="webpush", token=service.url + path, keys=browser.keys)
            made.registered_at = timezone.now()
            made.save()
        service.answers["/gone"] = 410
        with transaction.atomic():
            wake_up(dewi.pk, wake=soon())
        push_sender().settle()
        assert {path for path, _, _ in service.got} == {"/lives", "/gone"}
        read = [browser.read(body) for _, _, body in service.got]
    assert all(set(one) == {"type", "expires_at"} for one in read)
    assert Device.objects.get().token.endswith("/lives")
