"""Counting what may be an attack (`Suspicion`), for the metrics."""

from __future__ import annotations

from django.db import transaction
from django.db.models import F

from users.models import Suspicion, Tally


@transaction.atomic
def tally_add(suspicion: Suspicion) -> None:
    """Count one more of this kind."""
    if not Tally.objects.filter(pk=suspicion).update(count=F("count") + 1):
        Tally.objects.get_or_create(pk=suspicion)
        Tally.objects.filter(pk=suspicion).update(count=F("count") + 1)


def tallies() -> dict[Suspicion, int]:
    """Return how often each kind has happened since the database was made."""
    counted = dict(Tally.objects.values_list("pk", "count"))
    return {kind: counted.get(kind, 0) for kind in Suspicion}
