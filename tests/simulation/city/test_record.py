import pytest

from simulation.city.record import Record, ref_of


@pytest.mark.parametrize(
    ("data", "ref"),
    [
        ({"ride_id": "r", "match_id": "m"}, "r"),
        ({"ride": {"ride_id": "r"}, "payment": {}}, "r"),
        ({"ride": None, "match_id": "m"}, "m"),
        ({"is_active": True}, ""),
    ],
)
def test_what_a_notification_is_about(data: dict[str, object], ref: str) -> None:
    """It is about its ride, also one within it, or else its match, or nothing."""
    assert ref_of(data) == ref


def test_frames_are_kept_by_person() -> None:
    """Frames are kept in their order, by person, with the time; what was told can be had alone."""
    record = Record()
    for direction in ("->", "<-", "->"):
        record.note("Joko", direction, {"type": "sync", "data": {}})
    assert [seen.direction for seen in record.frames["Joko"]] == ["->", "<-", "->"]
    assert len(record.told("Joko")) == 1
    assert record.told("Putri") == []
    assert record.frames["Joko"][0].at <= record.frames["Joko"][2].at
