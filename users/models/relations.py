"""What users think of each other: ratings and blocks."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q

from users.models.people import User


class Rating(models.Model):
    """The stars that one side of a ride gave the other. Rides are of an app above this one, so the id has no key."""

    ride_id = models.UUIDField()
    rater = models.ForeignKey(User, models.CASCADE, related_name="ratings_given")
    rated = models.ForeignKey(User, models.CASCADE, related_name="ratings")
    stars = models.PositiveSmallIntegerField()
    created_at = models.DateTimeField()

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("ride_id", "rater"), name="one_rating_per_side"),
            models.CheckConstraint(condition=Q(stars__gte=1, stars__lte=5), name="rating_1_to_5"),
            models.CheckConstraint(condition=~Q(rater=F("rated")), name="rating_of_somebody_else"),
        )

    def __str__(self) -> str:
        return f"{self.stars} for {self.rated_id}"


class Block(models.Model):
    """One person does not want to ride with another any more, for good; the other is not told."""

    blocker = models.ForeignKey(User, models.CASCADE, related_name="blocks")
    blocked = models.ForeignKey(User, models.CASCADE, related_name="blocked_by")
    created_at = models.DateTimeField()

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("blocker", "blocked"), name="one_block_per_pair"),
            models.CheckConstraint(condition=~Q(blocker=F("blocked")), name="block_of_somebody_else"),
        )

    def __str__(self) -> str:
        return f"{self.blocker_id} blocks {self.blocked_id}"
