import pytest

from rides.selectors import user_state
from rides.services.matches import match_confirm
from rides.situations import Situation, situation_of
from tests.cast import arrive, book, propose, start
from users.models import User

pytestmark = pytest.mark.django_db


def now(user: User) -> Situation:
    return situation_of(user.role, user_state(user.pk, user.role))


def test_a_new_user_has_no_ride(dewi: User, putri: User) -> None:
    """Nothing else is true of them."""
    assert now(dewi) == now(putri) == Situation.ALWAYS | Situation.WITHOUT_RIDE


def test_an_offer_waits_until_the_user_has_confirmed(dewi: User, putri: User) -> None:
    """The other side's confirmation changes nothing for them."""
    match = propose(dewi, putri)
    match_confirm(user_id=putri.pk, match_id=match.pk, accepted=True)
    assert Situation.OFFER_WAITS not in now(putri)
    assert Situation.OFFER_WAITS in now(dewi)


def test_a_ride_goes_from_the_pick_up_to_the_payment(dewi: User, putri: User, joko: User, sari: User) -> None:
    """A driver's ride ends at the arrival, a passenger's with the payment."""
    book(dewi, putri)
    assert now(dewi) == now(putri) == Situation.ALWAYS | Situation.PICKUP
    start(joko, sari)
    assert now(joko) == now(sari) == Situation.ALWAYS | Situation.ONGOING


def test_a_payment_is_due_after_the_arrival(dewi: User, putri: User, tono: User) -> None:
    """A stranger owes nothing."""
    arrive(dewi, putri, tracked_km=1)
    assert now(putri) == Situation.ALWAYS | Situation.PAYMENT_DUE
    assert now(dewi) == Situation.ALWAYS | Situation.WITHOUT_RIDE | Situation.PAYMENT_DUE
    assert now(tono) == Situation.ALWAYS | Situation.WITHOUT_RIDE
