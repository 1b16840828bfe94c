"""Why a search brought a driver, or did not: each attempt, each driver considered, and one sentence with the cause.

However long the history is, it takes five queries, each by an index on the search.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Annotated
from uuid import UUID

import msgspec
from django.db.models import Q
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from msgspec import Meta

from common import clock
from events.base import Moment
from rides.models import Candidate, Finder, FinderStatus, Match, Ride, SearchAttempt
from rides.staff.fates import Fate, fate_of, in_words
from rides.staff.units import distance, duration
from users.models import User

ID = "01990000-0000-7000-8000-000000000006"
NOBODY = "nobody_near"
NOT_KEPT = "not_kept"
NOT_BEGUN = "not_begun"


class Ring(msgspec.Struct, frozen=True):
    """Available drivers who were too far for an attempt."""

    from_km: Annotated[float, Meta(description="Kilometres from the pick-up.", examples=[5.0])]
    to_km: Annotated[float, Meta(description="Kilometres from the pick-up.", examples=[10.0])]
    drivers: Annotated[int, Meta(description="How many.", examples=[2])]


class Considered(msgspec.Struct, frozen=True, kw_only=True):
    """A driver whom an attempt considered."""

    driver_id: Annotated[UUID, Meta(description="The driver.", examples=["01990000-0000-7000-8000-000000000001"])]
    name: Annotated[str, Meta(description="Name and masked number.", examples=["Dewi (+6281•••••0001)"])]
    distance_m: Annotated[int, Meta(description="Metres to the pick-up.", examples=[380])]
    position_age_s: Annotated[int, Meta(description="Seconds since the position had come.", examples=[12])]
    outcome: Annotated[str, Meta(description="What became of it, as a word.", examples=["silent_phone"])]
    reason: Annotated[str, Meta(description="The same as a sentence without its subject.", examples=["declined"])]
    offered_at: Annotated[Moment | None, Meta(description="When the ride was offered.")] = None
    received_at: Annotated[Moment | None, Meta(description="When the device had the offer.")] = None
    unreachable_at: Annotated[
        Moment | None, Meta(description="When the next driver was asked beside, for want of a receipt.")
    ] = None
    answered_at: Annotated[Moment | None, Meta(description="When the driver answered.")] = None


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt; what was configured is gone with the trace (`TRACE_RETENTION`)."""

    number: Annotated[int, Meta(description="From 1.", examples=[1])]
    begun_at: Annotated[Moment | None, Meta(description="When it began.")]
    radius_km: Annotated[float | None, Meta(description="How far it looked.", examples=[5.0])]
    configured: Annotated[
        dict[str, float],
        Meta(description="Settings of that moment; times in seconds.", examples=[{"MATCH_RESPONSE_TIMEOUT": 30.0}]),
    ]
    too_far: Annotated[list[Ring], Meta(description="Where drivers were missing: who was farther away, by ring.")]
    candidates: Annotated[list[Considered], Meta(description="The drivers considered, nearest first.")]


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """Why a search brought a driver, or did not."""

    finder_id: Annotated[UUID, Meta(description="The search.", examples=[ID])]
    passenger_id: Annotated[UUID, Meta(description="Who.", examples=["01990000-0000-7000-8000-000000000002"])]
    status: Annotated[str, Meta(description="How the search stands.", examples=["NO_DRIVER"])]
    sentence: Annotated[
        str, Meta(description="The cause.", examples=["The only driver considered within 15.0 km had the beacon off."])
    ]
    cause: Annotated[
        str,
        Meta(
            description="The cause as a word: the outcome of most drivers; `nobody_near`; `cancelled`, `moved`; or "
            "`not_kept`.",
            examples=["beacon_off"],
        ),
    ]
    outcomes: Annotated[
        dict[str, int], Meta(description="Drivers by what became of it in the end.", examples=[{"beacon_off": 1}])
    ]
    created_at: Annotated[Moment, Meta(description="When it began.")]
    ended_at: Annotated[Moment | None, Meta(description="When it ended.")]
    vehicle_type: Annotated[str, Meta(description="What was asked for; empty: any.", examples=["car"])]
    auto_accept: Annotated[bool, Meta(description="Whether the first driver who accepts has the ride.")]
    is_coarse: Annotated[bool, Meta(description="Whether drivers were chosen by their cells.")]
    ride_id: Annotated[UUID | None, Meta(description="The ride that it brought.", examples=[None])]
    moved_from: Annotated[UUID | None, Meta(description="The search that it continues.", examples=[None])]
    moved_to: Annotated[UUID | None, Meta(description="The search that continues it.", examples=[None])]
    attempts: Annotated[list[Attempt], Meta(description="Each attempt by itself.")]


def explain(finder: Finder) -> Explanation:
    """Return why a search brought a driver, or did not."""
    candidates = list(Candidate.objects.filter(finder=finder).select_related("driver"))
    matches = list(Match.objects.filter(finder=finder).select_related("driver").order_by("created_at"))
    records = {record.number: record for record in SearchAttempt.objects.filter(finder=finder)}
    offers = {match.driver_id: match for match in matches}
    attempts = [
        _attempt(number, records.get(number), _considered(finder, number, candidates, offers))
        for number in range(1, finder.attempts + 1)
    ]
    outcomes = _outcomes(attempts)
    is_kept = bool(records or candidates or matches)
    cause, sentence = _cause(finder, attempts, outcomes, matches, is_kept=is_kept)
    moved_from, moved_to = _moves(finder)
    return Explanation(
        finder_id=finder.pk,
        passenger_id=finder.passenger_id,
        status=finder.status,
        sentence=sentence,
        cause=cause,
        outcomes=dict(outcomes),
        created_at=finder.created_at,
        ended_at=finder.ended_at,
        vehicle_type=finder.vehicle_type,
        auto_accept=finder.auto_accept,
        is_coarse=finder.is_coarse,
        ride_id=Ride.objects.filter(match__finder=finder).values_list("pk", flat=True).first(),
        moved_from=moved_from,
        moved_to=moved_to,
        attempts=attempts,
    )


def _attempt(number: int, record: SearchAttempt | None, candidates: list[Considered]) -> Attempt:
    return Attempt(
        number=number,
        begun_at=record.begun_at if record else None,
        radius_km=record.radius_km if record else None,
        configured=record.configured if record else {},
        too_far=[Ring(*ring) for ring in record.too_far] if record else [],
        candidates=candidates,
    )


def _considered(
    finder: Finder, number: int, candidates: Iterable[Candidate], offers: dict[UUID, Match]
) -> list[Considered]:
    """Return the drivers of an attempt; of offers the trace of which is gone, those that are kept."""
    own = {one.driver_id: one for one in candidates if one.attempt == number}
    found = [_candidate(finder, one, offers.get(driver_id)) for driver_id, one in own.items()]
    untraced = [match for match in offers.values() if match.attempt == number and match.driver_id not in own]
    found += [_offered(finder, match.driver, match) for match in untraced]
    return sorted(found, key=lambda one: one.distance_m)


def _candidate(finder: Finder, one: Candidate, match: Match | None) -> Considered:
    if match is not None and match.attempt == one.attempt:
        return _offered(finder, one.driver, match, one.position_age_s)
    return Considered(
        driver_id=one.driver_id,
        name=str(one.driver),
        distance_m=round(one.distance_km * 1000),
        position_age_s=round(one.position_age_s),
        outcome=one.outcome,
        reason=in_words(one.outcome) if match is None else _("was offered the ride before"),
    )


def _offered(finder: Finder, driver: User, match: Match, position_age_s: float = 0) -> Considered:
    fate = fate_of(match, finder.ended_at)
    return Considered(
        driver_id=driver.pk,
        name=str(driver),
        distance_m=round(match.distance_km * 1000),
        position_age_s=round(position_age_s),
        outcome=fate,
        reason=in_words(fate),
        offered_at=match.created_at,
        received_at=match.received_at,
        unreachable_at=match.unreachable_at,
        answered_at=match.answered_at,
    )


def _outcomes(attempts: Iterable[Attempt]) -> Counter[str]:
    """Count each driver once: by the offer, else by what the last attempt found."""
    last: dict[UUID, Considered] = {}
    for attempt in attempts:
        for one in attempt.candidates:
            if one.driver_id not in last or last[one.driver_id].offered_at is None:
                last[one.driver_id] = one
    return Counter(sorted(one.outcome for one in last.values()))


def _moves(finder: Finder) -> tuple[UUID | None, UUID | None]:
    """Return the searches before and after, where the passenger moved the pin."""
    origin = finder.origin_id or finder.pk
    chain = list(
        Finder.objects.filter(Q(pk=origin) | Q(origin=origin)).order_by("created_at").values_list("pk", flat=True)
    )
    at = chain.index(finder.pk)
    return (chain[at - 1] if at else None), (chain[at + 1] if at + 1 < len(chain) else None)


def _cause(
    finder: Finder, attempts: list[Attempt], outcomes: Counter[str], matches: list[Match], *, is_kept: bool
) -> tuple[str, str]:
    """Return the cause as a word and as a sentence."""
    took = duration(((finder.ended_at or clock.now()) - finder.created_at).total_seconds())
    if not is_kept and finder.status != FinderStatus.OPEN:
        return _no_trace(finder, took)
    accepted = next((match for match in matches if fate_of(match, None) == Fate.ACCEPTED), None)
    if accepted is not None:
        said = {"driver": str(accepted.driver), "time": took, "distance": distance(accepted.distance_km)}
        return Fate.ACCEPTED, _("%(driver)s came, %(distance)s away, after %(time)s.") % said
    cause, summary = _summary(attempts, outcomes)
    match finder.status:
        case FinderStatus.OPEN:
            return cause, _("The search is under way for %(time)s: %(summary)s") % {"time": took, "summary": summary}
        case FinderStatus.MOVED:
            said = {"time": took, "summary": summary}
            return "moved", _("The passenger moved the pin after %(time)s; until then: %(summary)s") % said
        case FinderStatus.CANCELLED:
            said = {"time": took, "summary": summary}
            return "cancelled", _("The passenger cancelled after %(time)s; until then: %(summary)s") % said
    return cause, summary


def _no_trace(finder: Finder, took: str) -> tuple[str, str]:
    if finder.attempts:
        return NOT_KEPT, _("What the search has found is no longer kept.")
    said = _("The search ended after %(time)s, before drivers were asked for its window.")
    return NOT_BEGUN, said % {"time": took}


def _summary(attempts: list[Attempt], outcomes: Counter[str]) -> tuple[str, str]:
    last = attempts[-1] if attempts else None
    radius = distance(last.radius_km) if last and last.radius_km else _("the radius")
    total = outcomes.total()
    if not total:
        return NOBODY, _nobody(last, radius)
    cause, most = outcomes.most_common(1)[0]
    if most == total:
        text = ngettext(
            "The only driver considered within %(radius)s %(words)s.",
            "All %(number)s drivers considered within %(radius)s %(words)s.",
            total,
        )
        return cause, text % {"number": total, "radius": radius, "words": in_words(cause, total)}
    parts = [f"{number} {in_words(outcome, number)}" for outcome, number in outcomes.most_common()]
    said = {"number": total, "radius": radius, "first": "; ".join(parts[:-1]), "last": parts[-1]}
    return cause, _("Of %(number)s drivers considered within %(radius)s, %(first)s; and %(last)s.") % said


def _nobody(last: Attempt | None, radius: str) -> str:
    far = [ring for ring in last.too_far if ring.drivers] if last else []
    if far:
        said = {"radius": radius, "number": sum(ring.drivers for ring in far), "far": distance(far[-1].to_km)}
        return _("No driver was within %(radius)s; %(number)s available up to %(far)s away were too far.") % said
    if last and last.too_far:
        said = {"radius": radius, "far": distance(last.too_far[-1].to_km)}
        return _("No driver was within %(radius)s, and none was available up to %(far)s away.") % said
    return _("No driver was within %(radius)s.") % {"radius": radius}
