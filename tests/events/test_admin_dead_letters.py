import pytest
from django.contrib.auth.models import Permission
from django.test import Client

from events.dead_letters import dead_letters_keep
from events.models import DeadLetter
from tests.events.test_dead_letters import dead, requested
from users.models import User

LIST = "/admin/events/deadletter/"


@pytest.fixture
def letter(db: None) -> DeadLetter:
    """A letter whose payload is no text."""
    dead_letters_keep([dead(7, payload=b'{"x": "\xff<b>"}', headers={"X-From": "somebody"})])
    return DeadLetter.objects.get()


@pytest.fixture
def staff(client: Client, db: None) -> Client:
    """A superuser in the admin."""
    client.force_login(User.objects.create_superuser("+6281200000099", "a long password"))
    return client


def clerk(client: Client, *permissions: str) -> Client:
    user = User.objects.create_user("+6281200000098", "a long password", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    client.force_login(user)
    return client


def replay(client: Client, letter: DeadLetter) -> bytes:
    body = {"action": "replay", "_selected_action": [letter.pk]}
    return client.post(LIST, body, follow=True).content


def page_of(letter: DeadLetter) -> str:
    return f"{LIST}{letter.pk}/change/"


def test_a_letter_is_shown_whole(staff: Client, letter: DeadLetter) -> None:
    assert b"no audience" in staff.get(LIST).content
    page = staff.get(page_of(letter)).content.decode()
    for part in ("match.found", "no audience", "X-From", "somebody", "NEBENGJEK:1", r"{&quot;x&quot;: &quot;\xff&lt;b"):
        assert part in page


@pytest.mark.parametrize("replayed", ["0", "1"])
def test_letters_are_filtered_by_whether_they_were_replayed(staff: Client, letter: DeadLetter, replayed: str) -> None:
    page = staff.get(LIST, {"replayed_at__isempty": replayed}).content
    assert (b"1 dead letter" in page) == (replayed == "1")


def test_nobody_edits_adds_or_deletes_a_letter(staff: Client, letter: DeadLetter) -> None:
    assert staff.post(page_of(letter), {"reason": "x", "payload": "y"}).status_code == 403
    assert staff.get(f"{LIST}add/").status_code == 403
    assert staff.post(f"{LIST}{letter.pk}/delete/", {"post": "yes"}).status_code == 403
    letter.refresh_from_db()
    assert letter.reason == "no audience"


def test_staff_replay_a_letter(staff: Client, letter: DeadLetter) -> None:
    assert b"1 messages will be published again" in replay(staff, letter)
    assert requested() == [7]
    assert b"0 messages will be published again" in replay(staff, letter)  # twice is once


def test_who_may_change_letters_may_replay_but_not_edit_them(client: Client, letter: DeadLetter) -> None:
    clerk(client, "change_deadletter")
    assert client.post(page_of(letter), {"reason": "x"}).status_code == 403
    assert b"1 messages will be published again" in replay(client, letter)
    assert requested() == [7]


def test_who_may_only_look_does_not_replay(client: Client, letter: DeadLetter) -> None:
    clerk(client, "view_deadletter")
    page = client.get(LIST).content
    assert b"no audience" in page
    assert b"replay" not in page.replace(b"replayed", b"").replace(b"replay_requested", b"").replace(b"replays", b"")
    replay(client, letter)
    assert requested() == []


@pytest.mark.parametrize("is_staff", [False, True])
def test_a_stranger_sees_and_does_nothing(client: Client, letter: DeadLetter, tono: User, is_staff: bool) -> None:
    tono.is_staff = is_staff  # of another department
    tono.save()
    client.force_login(tono)
    assert b"no audience" not in client.get(LIST, follow=True).content
    assert client.get(page_of(letter)).status_code in (302, 403)
    replay(client, letter)
    assert requested() == []
