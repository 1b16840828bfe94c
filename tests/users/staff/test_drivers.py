import re

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.utils import timezone

from users.models import Driver, Paper, StaffRecord, User


@pytest.fixture
def clerk(client: Client, db: None) -> Client:
    """A member of staff who may see and approve drivers."""
    user = User.objects.create_user("+6281200000098", "a long password", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=["view_driver", "approve_driver"]))
    client.force_login(user)
    return client


def act(client: Client, action: str, driver: User, **more: str) -> str:
    body = {"action": action, "_selected_action": [str(driver.pk)], **more}
    return client.post("/admin/users/driver/", body, follow=True).content.decode()


def test_drivers_who_wait_are_found_and_approved(clerk: Client, dewi: User, joko: User) -> None:
    """It asks first, and stands in the driver's history."""
    Driver.objects.filter(pk=dewi.pk).update(approval="pending")
    page = clerk.get("/admin/users/driver/", {"approval__exact": "pending"}).content.decode()
    assert ("Dewi" in page, "Joko" in page) == (True, False)
    assert "may drive from now on" in act(clerk, "approve", dewi)
    assert Driver.objects.get(pk=dewi.pk).approval == "pending"
    assert "Approved: 1 of 1 drivers." in act(clerk, "approve", dewi, confirmed="yes")
    assert Driver.objects.get(pk=dewi.pk).approval == "approved"
    assert "Approved by staff." in clerk.get(f"/admin/users/driver/{dewi.pk}/history/").content.decode()


def test_a_refusal_needs_a_reason(clerk: Client, dewi: User) -> None:
    """The driver reads it."""
    assert "This field is required" in act(clerk, "refuse", dewi, confirmed="yes", reason="")
    assert "Refused: 1 of 1" in act(clerk, "refuse", dewi, confirmed="yes", reason="The licence is a copy")
    assert Driver.objects.get().approval_reason == "The licence is a copy"


def test_papers_are_recorded_on_the_page_of_the_driver(clerk: Client, dewi: User) -> None:
    """Nothing else can be changed there."""
    body = {
        "papers-TOTAL_FORMS": "1", "papers-INITIAL_FORMS": "0", "papers-0-kind": "licence",
        "papers-0-expires_on": "2030-05-31", "papers-0-driver": str(dewi.pk), "approval": "refused",
        "vehicle_plate": "EVIL",
    }  # fmt: skip
    assert clerk.post(f"/admin/users/driver/{dewi.pk}/change/", body).status_code == 302
    driver = Driver.objects.get()
    assert (str(driver.papers_until), driver.approval, driver.vehicle_plate) == ("2030-05-31", "approved", "B 1234 XYZ")
    paper = Paper.objects.get()
    again = {**body, "papers-INITIAL_FORMS": "1", "papers-0-id": str(paper.pk), "papers-0-expires_on": "2031-05-31"}
    clerk.post(f"/admin/users/driver/{dewi.pk}/change/", again)
    assert str(Driver.objects.get().papers_until) == "2031-05-31"


def test_without_the_permission_drivers_are_only_seen(clerk: Client, dewi: User) -> None:
    """Neither action nor papers."""
    User.objects.get(is_staff=True).user_permissions.set(Permission.objects.filter(codename="view_driver"))
    act(clerk, "refuse", dewi, confirmed="yes", reason="No")
    body = {"papers-TOTAL_FORMS": "1", "papers-INITIAL_FORMS": "0", "papers-0-kind": "licence"}
    assert clerk.post(f"/admin/users/driver/{dewi.pk}/change/", body).status_code == 403
    assert clerk.get(f"/admin/users/driver/{dewi.pk}/change/").status_code == 200
    assert (Driver.objects.get().approval, Paper.objects.count()) == ("approved", 0)


def test_a_reason_is_one_line_without_tricks(clerk: Client, dewi: User) -> None:
    """Line breaks, escapes and changes of direction reach no driver; of nothing but marks nothing is left."""
    assert "This field is required" in act(clerk, "refuse", dewi, confirmed="yes", reason="\u202e\u200b")
    act(clerk, "refuse", dewi, confirmed="yes", reason="The\nlicence\x1b \u202eis a copy\u2069")
    assert Driver.objects.get().approval_reason == "The licence is a copy"


def test_who_decides_has_seen_what_is_so(clerk: Client, dewi: User) -> None:
    """Somebody else was faster: the page says so, and nothing changes."""
    page = act(clerk, "refuse", dewi)
    [seen_at] = re.findall(r'name="seen_at" value="([^"]+)"', page)
    Driver.objects.update(approval="refused", approval_reason="Theirs", approval_at=timezone.now())
    answer = act(clerk, "approve", dewi, confirmed="yes", seen_at=seen_at)
    assert "Approved: 0 of 1 drivers." in answer
    assert "look again" in answer
    assert Driver.objects.get().approval_reason == "Theirs"
    assert "Approved: 1 of 1" in act(clerk, "approve", dewi, confirmed="yes", seen_at=timezone.now().isoformat())


def test_nobody_approves_themselves(clerk: Client, dewi: User) -> None:
    """A member of staff who drives is approved by another one."""
    staff = User.objects.get(is_staff=True)
    User.objects.filter(pk=staff.pk).update(role="driver")
    Driver.objects.create(user=staff, vehicle_type="car", vehicle_plate="B 1 X", approval="pending")
    assert "Approved: 0 of 1 drivers." in act(clerk, "approve", staff, confirmed="yes")


def test_a_decision_is_on_the_persons_page_without_its_reason(clerk: Client, dewi: User) -> None:
    """What cannot be erased from the record does not tell of the person; who decided is masked as all numbers are."""
    act(clerk, "refuse", dewi, confirmed="yes", reason="A copy")
    assert StaffRecord.objects.get(target_id=str(dewi.pk)).text == "Refused by staff."
    other = Client()
    other.force_login(User.objects.create_superuser("+6281200000099", "a long password"))
    page = other.get(f"/admin/users/user/{dewi.pk}/change/").content.decode()
    assert "Refused by staff." in page
    assert "+6281200000098" not in page
