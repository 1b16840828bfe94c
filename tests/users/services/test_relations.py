from uuid import uuid4

import pytest
from django.utils import timezone

from common.errors import ValidationFailed
from users.models import Block, User
from users.selectors import blocked_among
from users.services import block_add, rating_add

NOW = timezone.now()


def test_the_mean_is_shown_from_five_ratings_on(dewi: User, putri: User) -> None:
    """Fewer say nothing about a person."""
    for number, stars in enumerate((5, 4, 5, 5, 4), start=1):
        rating_add(ride_id=uuid4(), booked_at=NOW, rater_id=putri.pk, rated_id=dewi.pk, stars=stars)
        dewi.refresh_from_db()
        assert dewi.rating == (4.6 if number == 5 else None)


def test_a_ride_is_rated_once_by_each_side(dewi: User, putri: User) -> None:
    """The second time nothing changes."""
    ride = uuid4()
    rating_add(ride_id=ride, booked_at=NOW, rater_id=putri.pk, rated_id=dewi.pk, stars=5)
    with pytest.raises(ValidationFailed):
        rating_add(ride_id=ride, booked_at=NOW, rater_id=putri.pk, rated_id=dewi.pk, stars=1)
    rating_add(ride_id=ride, booked_at=NOW, rater_id=dewi.pk, rated_id=putri.pk, stars=1)
    dewi.refresh_from_db()
    assert (dewi.rating_sum, dewi.rating_count) == (5, 1)


def test_a_block_holds_in_both_directions(dewi: User, putri: User, tono: User) -> None:
    """Whoever of the two asked for it, and however often."""
    for _ in range(2):
        block_add(blocker_id=putri.pk, blocked_id=dewi.pk)
    assert Block.objects.count() == 1
    assert blocked_among(putri.pk, [dewi.pk, tono.pk]) == {dewi.pk}
    assert blocked_among(dewi.pk, [putri.pk, tono.pk]) == {putri.pk}
    assert blocked_among(tono.pk, [dewi.pk, putri.pk]) == set()
