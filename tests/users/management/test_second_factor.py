import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from users.models import User


def test_only_staff_get_a_second_factor(putri: User, capsys: pytest.CaptureFixture[str]) -> None:
    """The secret is shown once, as a picture and as text."""
    with pytest.raises(CommandError, match="is not staff"):
        call_command("second_factor", putri.msisdn)
    User.objects.create_superuser("+6281200000099", "a long password")
    call_command("second_factor", "0812-0000-0099")
    assert "otpauth://totp/" in capsys.readouterr().out
    call_command("second_factor", "0812-0000-0099", "--remove")
    call_command("second_factor", "0812-0000-0099", "--remove")
    assert capsys.readouterr().out.split("\n")[:2] == ["Removed.", "There was none."]
