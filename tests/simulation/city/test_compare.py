"""Two policies side by side."""

import math
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from django.core.management import CommandError, call_command

from simulation.city.compare import SavedRun, cells, compare, html, keep, load, markdown, saved
from simulation.city.record import Record
from simulation.city.run import CityResult
from tests.simulation.city.ride import honest, say, tell, told

TOWN = {"drivers": 2.0, "rides": 3.0}


def run(seed: int = 1, pickup: float = 10, **changed: Any) -> SavedRun:
    """Return a run whose pick-ups took so long."""
    own: dict[str, Any] = {
        "seed": seed, "town": TOWN, "matching": {"MATCH_WINDOW": "0"}, "conditions": "today", "seconds": 60,
        "rides": {"CANCELLED": 1, "COMPLETED": 3}, "no_driver": 2, "violations": 0,
        "figures": {"pick-up time": [pickup - 1, pickup + 1], "wait for a driver": [1, 2]},
    }  # fmt: skip
    return SavedRun(**{**own, **changed})


def files(folder: Path, a: list[SavedRun], b: list[SavedRun]) -> tuple[Path, Path]:
    """Keep the runs of two policies."""
    for name, runs in (("a", a), ("b", b)):
        for one in runs:
            keep(one, folder / "kept" / f"{name}.jsonl")
    return folder / "kept" / "a.jsonl", folder / "kept" / "b.jsonl"


def test_a_run_is_kept_whole(tmp_path: Path) -> None:
    """What comes back is what was kept; of two runs of a seed the later one counts."""
    record, facts = honest()
    result = CityResult(record, facts, [], mishaps=[], cuts=0, seconds=30)
    made = saved(result, seed=7, town=TOWN, matching={"MATCH_WINDOW": "5 s"}, conditions="today")
    keep(run(7), tmp_path / "a")
    keep(made, tmp_path / "a")
    assert load(tmp_path / "a") == {7: made}
    assert made.rides == {"COMPLETED": 1}
    assert made.figures["pick-up time"] == [1.0]
    assert len(made.figures["wait for a driver"]) == 1


def test_the_difference_is_that_of_pairs(tmp_path: Path) -> None:
    """Seeds that differ much from each other hide no difference that each of them shows."""
    a = [run(1, 10), run(2, 100), run(3, 50), run(4, 1)]
    b = [run(3, 45), run(1, 6), run(2, 94)]
    made = compare(*files(tmp_path, a, b))
    assert made.seeds == [1, 2, 3]
    pickup = made.rows[0]
    assert pickup.differences == [-4, -6, -5]
    assert pickup.interval() == pytest.approx((-5 - 2.4841, -5 + 2.4841), abs=1e-3)
    assert cells(pickup) == (
        "pick-up time, mean, s", "53.33 (10.00 to 100.00)", "48.33 (6.00 to 94.00)", "-5.00 (-7.48 to -2.52)", "-9.4",
    )  # fmt: skip


def test_one_seed_has_no_interval(tmp_path: Path) -> None:
    """Of a single pair nobody knows how much is chance, and it says so."""
    made = compare(*files(tmp_path, [run()], [run(pickup=9)]))
    assert made.rows[0].interval() is None
    assert "-1.00 (one seed)" in cells(made.rows[0])


def test_what_did_not_happen_is_not_a_number(tmp_path: Path) -> None:
    """Runs without any ride are compared all the same."""
    empty = run(rides={}, figures={}, no_driver=0)
    made = compare(*files(tmp_path, [empty], [run()]))
    assert math.isnan(made.rows[0].a[0])
    text = "\n".join(markdown(made))
    assert "| searches without a driver | 0.00 (0.00 to 0.00) | 2.00 (2.00 to 2.00) | +2.00 (one seed) |  |" in text
    assert ET.fromstring(f"<div>{html(made)}</div>") is not None


def test_both_reports_say_the_same(tmp_path: Path) -> None:
    """The page and the Markdown have all measures, what differs in the policies, and what was alike."""
    policy = {"MATCH_WINDOW": "5 s", "MATCH_MAX_DRIVERS": "<5>"}
    a = [run(matching={**policy, "MATCH_WINDOW": "0"}), run(2, matching={**policy, "MATCH_WINDOW": "0"})]
    made = compare(*files(tmp_path, a, [run(1, 6, matching=policy), run(2, 7, matching=policy)]))
    text, page = "\n".join(markdown(made)), html(made)
    assert "A is a (MATCH_WINDOW=0), B is b (MATCH_WINDOW=5 s). Seeds: 1, 2." in text
    assert "Alike: MATCH_MAX_DRIVERS=<5>." in text
    assert "MATCH_MAX_DRIVERS=&lt;5&gt;" in page
    for row in made.rows:
        for cell in cells(row):
            assert cell in text
            assert f"<td>{cell}</td>" in page
    widths = [float(bar.get("width") or 0) for bar in ET.fromstring(f"<div>{page}</div>").iter("rect")]
    assert widths == [470, 282, 470, 329]


@pytest.mark.parametrize(
    ("b", "why"),
    [
        (None, "No such file"),
        ("", "has no runs of a city"),
        ("{}\n", "has no runs of a city"),
        ("no JSON\n", "has no runs of a city"),
        (run(2), "no seed in common"),
        (run(1, town={"drivers": 3.0, "rides": 3.0}), "The towns of seed 1 differ"),
    ],
    ids=["away", "empty", "other", "broken", "seeds", "towns"],
)
def test_what_cannot_be_compared_is_refused(b: SavedRun | str | None, why: str, tmp_path: Path) -> None:
    """With the reason, by the command too."""
    first, second = tmp_path / "a", tmp_path / "b"
    keep(run(1), first)
    if isinstance(b, str):
        second.write_text(b)
    elif b is not None:
        keep(b, second)
    with pytest.raises(CommandError, match=why):
        call_command("simulate", "--city", "--compare", str(first), str(second))


def test_the_command_compares(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It shows the table, and writes the page where one is asked for."""
    first, second = files(tmp_path, [run()], [run(pickup=5)])
    page = tmp_path / "page.html"
    call_command("simulate", "--city", "--compare", str(first), str(second), "--report", str(page))
    assert "| pick-up time, mean, s | 10.00 (10.00 to 10.00) | 5.00 (5.00 to 5.00) |" in capsys.readouterr().out
    assert "<td>-50.0</td>" in page.read_text()


def test_waits_go_on_through_searches_without_a_driver(tmp_path: Path) -> None:
    """Who searches again waits from the first search; who gives up does not wait."""
    record = Record()
    facts = honest()[1]
    record.people = dict(honest()[0].people)
    search = {"is_active": True}
    nobody = {"is_active": False, "reason": "no_driver"}
    say(record, "Putri", "finder_update", search, "1")
    tell(record, "Putri", told("finder_update", 1, nobody), after=50)
    say(record, "Putri", "finder_update", search, "2")
    tell(record, "Putri", told("ride_pickup", 2, {"ride_id": "r1"}), after=5)
    say(record, "Putri", "finder_update", search, "3")
    say(record, "Putri", "finder_update", {"is_active": False}, "4")
    tell(record, "Putri", told("ride_pickup", 3, {"ride_id": "r2"}), after=5)
    made = saved(
        CityResult(record, facts, [], mishaps=[], cuts=0, seconds=9), seed=1, town=TOWN, matching={}, conditions=""
    )
    assert made.figures["wait for a driver"] == [58]
    assert made.no_driver == 1
