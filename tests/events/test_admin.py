from django.test import Client
from django.utils import timezone

from events.models import OutboxEvent
from rides.services.beacons import beacon_update
from users.models import User


def test_the_outbox_can_be_looked_at_but_not_changed(client: Client, dewi: User) -> None:
    client.force_login(User.objects.create_superuser("+6281200000099", "a long password"))
    beacon_update(user_id=dewi.pk, is_active=True)
    event = OutboxEvent.objects.get()
    assert b"user.beacon" in client.get("/admin/events/outboxevent/").content
    path = f"/admin/events/outboxevent/{event.pk}/change/"
    assert str(dewi.pk).encode() in client.get(path).content
    assert client.post(path, {"subject": "x"}).status_code == 403


def test_an_event_that_was_given_up_is_tried_again(client: Client, db: None) -> None:
    """The action is for who may change events; others are left as they are."""
    rows = [
        OutboxEvent.objects.create(key="k", type="t", subject="match.found", data={}, audience={}, failed_at=failed_at)
        for failed_at in (timezone.now(), None)
    ]
    chosen = {"action": "retry", "_selected_action": [row.pk for row in rows]}
    client.force_login(User.objects.create_superuser("+6281200000099", "a long password"))
    answer = client.post("/admin/events/outboxevent/", chosen, follow=True)
    assert "1 events will be published again." in answer.text
    assert not OutboxEvent.objects.filter(failed_at__isnull=False).exists()
