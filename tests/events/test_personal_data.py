from uuid import uuid4

from django.utils import timezone

from events.models import DeadLetter, OutboxEvent
from events.personal_data import EventsData
from users.models import User

DATA = EventsData()


def event(*users: User, published: bool) -> OutboxEvent:
    return OutboxEvent.objects.create(
        key="k",
        type="match_proposal",
        subject="match.found",
        data={"name": "Putri"},
        audience={str(user.pk): None for user in users},
        published_at=timezone.now() if published else None,
    )


def test_delivered_events_of_a_person_go(putri: User, dewi: User) -> None:
    """What is yet to be delivered stays, and so do the events of others."""
    event(putri, dewi, published=True)
    waiting, other = event(putri, published=False), event(dewi, published=True)
    list(DATA.erase_rest(putri.pk))
    assert set(OutboxEvent.objects.all()) == {waiting, other}
    list(DATA.erase_rest(uuid4()))
    assert OutboxEvent.objects.count() == 2


def test_dead_letters_that_name_a_person_go(putri: User, dewi: User) -> None:
    """A message that could not be delivered may name somebody all the same."""
    for number, user in enumerate((putri, dewi)):
        payload = f'{{"driver_id": "{user.pk}"'.encode()
        letter = {"stream_id": "s", "subject": "match.found", "headers": {}, "reason": "no JSON"}
        DeadLetter.objects.create(sequence=number, payload=payload, created_at=timezone.now(), **letter)
    list(DATA.erase_rest(putri.pk))
    assert DeadLetter.objects.get().sequence == 1


def test_a_persons_events_are_given_out(putri: User, dewi: User) -> None:
    """As this person saw them."""
    event(putri, published=True)
    [one] = DATA.export(putri)["events"]
    assert (one["type"], one["data"]) == ("match_proposal", {"name": "Putri"})
    assert DATA.export(dewi) == {"events": []}
