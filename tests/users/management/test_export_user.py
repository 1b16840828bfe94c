import json

import pytest
from django.core.management import call_command

from tests.cast import arrive
from users.models import User


def test_all_apps_give_out_what_they_keep(dewi: User, putri: User, capsys: pytest.CaptureFixture[str]) -> None:
    """One JSON document, with names in any script as they are."""
    User.objects.filter(pk=putri.pk).update(full_name="Путри 普特里")
    arrive(dewi, putri)
    call_command("export_user", putri.msisdn)
    written = capsys.readouterr().out
    assert "Путри 普特里" in written
    data = json.loads(written)
    assert {"profile", "logins", "sessions", "searches", "offers", "rides", "events", "connection"} <= set(data)
    assert data["rides"][0]["status"] == "ARRIVED"
