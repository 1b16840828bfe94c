import asyncio
from typing import Any

import pytest

from nebengjek_client import LoginRequired
from simulation import town
from simulation.people import Habits
from simulation.town import DRIVERS, MONAS, PASSENGERS, STAFF_NUMBER, Town, newcomer, staff_account, tokens_of
from tests.patience import within
from users.models import Approval, Driver, User
from users.services import driver_decide
from users.tokens import authenticate


@pytest.mark.parametrize("driver", [True, False])
def test_people_are_made_once(db: None, driver: bool) -> None:
    """The people of the town are created once, and can log in as often as they like."""
    first = tokens_of("+6281570000003", "Dewi", driver=driver)
    again = tokens_of("+6281570000003", "Dewi", driver=driver)
    for tokens in (first, again):
        user, claims = authenticate(tokens.access)
        assert (user.full_name, claims.role) == ("Dewi", "driver" if driver else "passenger")
    assert User.objects.count() == 1


def test_people_of_the_town_may_drive(db: None, settings: Any) -> None:
    """Also where other drivers wait for approval."""
    settings.DRIVER_APPROVAL = True
    tokens_of("+6281570000003", "Dewi", driver=True)
    assert Driver.objects.get().may_drive


@pytest.mark.parametrize("wanted", [True, False])
def test_one_driver_waits_for_staff(db: None, settings: Any, wanted: bool) -> None:
    """For support to try it, whatever the setting; a decision outlives the next start."""
    settings.DRIVER_APPROVAL = wanted
    newcomer()
    assert Driver.objects.get().approval == "pending"
    driver_decide(user_id=Driver.objects.get().pk, approval=Approval.APPROVED)
    newcomer()
    assert Driver.objects.get().approval == "approved"


def test_staff_passwords_are_new(db: None) -> None:
    """Staff have a new password at each start."""
    passwords = [staff_account()[1] for _ in range(2)]
    staff = User.objects.get(msisdn=STAFF_NUMBER)
    assert staff.is_staff
    assert [staff.check_password(password) for password in passwords] == [False, True]


async def test_lives_begin_again(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """Whatever ends a life, the next one begins; all end with the town."""
    lives: list[str] = []
    ends: dict[str, list[Exception]] = {"Dewi": [LoginRequired("no"), KeyError("x"), ConnectionError("closed")]}
    lively = asyncio.Event()

    async def one_life(_: Town, _kind: object, name: str, _msisdn: str) -> None:
        lives.append(name)
        if ends.get(name):
            raise ends[name].pop(0)
        if lives.count("Dewi") == 4:
            lively.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(Town, "_one_life", one_life)
    monkeypatch.setattr(town, "NEXT_LIFE", (0, 0))
    here = Town("http://127.0.0.1:1", Habits(center=MONAS))
    here.start()
    async with within():
        await lively.wait()
    await here.stop()
    assert (here.failures, len(lives)) == (3, len(DRIVERS) + len(PASSENGERS) + 3)
    assert caplog.text.count("Dewi of the town starts over") == 3
    running: Any = [task for task in asyncio.all_tasks() if "of the town" in task.get_name()]
    assert not running
