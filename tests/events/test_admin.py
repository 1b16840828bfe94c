from django.test import Client

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
