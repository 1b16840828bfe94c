from typing import Any
from uuid import uuid4

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from users.models import Block, Rating, User


@pytest.mark.parametrize("stars", [0, 6])
def test_stars_are_one_to_five(dewi: User, putri: User, stars: int) -> None:
    """By the database, whatever the code does."""
    with pytest.raises(IntegrityError), transaction.atomic():
        Rating.objects.create(ride_id=uuid4(), rater=dewi, rated=putri, stars=stars, created_at=timezone.now())


def test_nobody_rates_or_blocks_themselves(dewi: User) -> None:
    """By the database too."""
    now: dict[str, Any] = {"created_at": timezone.now()}
    with pytest.raises(IntegrityError), transaction.atomic():
        Rating.objects.create(ride_id=uuid4(), rater=dewi, rated=dewi, stars=5, **now)
    with pytest.raises(IntegrityError), transaction.atomic():
        Block.objects.create(blocker=dewi, blocked=dewi, **now)
