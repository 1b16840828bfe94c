from xml.etree import ElementTree as ET

import msgspec
import pytest

from simulation.city.figures import Figure
from simulation.city.promises import Violation
from simulation.city.record import Fault, Sample
from simulation.city.report import BARS, histogram, html_report, markdown_report, put_between_marks, text_report
from simulation.city.run import CityResult
from tests.simulation.city.ride import honest, ride


def result(*violations: Violation) -> CityResult:
    record, facts = honest()
    return CityResult(record, facts, list(violations), mishaps=[], cuts=2, seconds=30)


def test_the_text_has_all_figures() -> None:
    """The lines say what became of the rides, each figure and how many promises were broken."""
    text = "\n".join(text_report(result(Violation("order", "x"))))
    assert "Rides: 1 COMPLETED." in text
    assert "fare error: p50 1.478, p99 1.478, p99.9 1.478 % (1 times)" in text
    assert "1 violations." in text
    assert "0 fresh states in place of what was missed." in text


def test_what_the_system_did_is_told() -> None:
    """Faults, what each process used, rows by table, and fresh states are in the report where they are known."""
    done = result()
    done.facts = msgspec.structs.replace(
        done.facts, faults=[Fault(1, 2, "web-1", "kill"), Fault(3, 4, "web-2", "kill")],
        samples=[Sample(0, "web-1", 7, 1.0, 2**20), Sample(2, "web-1", 7, 2.0, 2**21)],
    )  # fmt: skip
    done.rows, done.resets = {"rides_ride": 1, "events_outboxevent": 12}, {"new epoch": 3}
    text = "\n".join(text_report(done))
    assert "Faults: 2 kill of web." in text
    assert "web-1: 1.0 s of processor (50% of one), 2 MiB" in text
    assert "Rows per ride: 13.0 (12.0 events_outboxevent, 1.0 rides_ride)" in text
    assert "3 fresh states in place of what was missed (3 by new epoch)." in text


def test_what_people_did_is_told() -> None:
    """Lies and whom staff are shown for them, mishaps by kind, and how late the city itself was."""
    done = result()
    rides = [ride(), ride(flags="jumps"), ride(cheated=True), ride(cheated=True, flags="jumps")]
    done.facts = msgspec.structs.replace(done.facts, rides=rides)
    done.mishaps = ["driver 1: passenger 2 has missed something", "driver 3: passenger 4 has missed something", "x"]
    done.late = [0.5]
    text = "\n".join(text_report(done))
    assert "2 rides of phones that told lies: staff are shown 1, and 1 others." in text
    assert "3 mishaps that people had to begin again after: 2 x passenger … has missed something, 1 x x." in text
    assert "was late by: p50 500, p99 500, p99.9 500 ms." in text


def test_the_page_needs_nothing_beside_itself() -> None:
    """The page has what was broken, escaped, and loads nothing."""
    page = html_report(result(Violation("order", "<b>Joko</b>")), command="manage.py", conditions="today")
    assert "&lt;b&gt;Joko&lt;/b&gt;" in page
    assert "<b>" not in page
    assert not any(loads in page for loads in ("src=", "href=", "url(", "@import"))


@pytest.mark.parametrize("values", [[1.0], [1.0, 1.0], [0.0, 5.0, 10.0, 10.0]])
def test_all_values_are_in_the_plot(values: list[float]) -> None:
    """Every value is in one of the bars, also where all are alike."""
    svg = ET.fromstring(histogram(Figure("f", "ms", "", values)))
    counts = [int(title.text or "") for title in svg.iter("title")]
    assert (len(counts), sum(counts)) == (BARS, len(values))
    assert histogram(Figure("f", "ms", "", [])) == "<p>There were none.</p>"


def test_the_report_of_a_page_of_the_documentation() -> None:
    """Each figure has its percentiles, how often and what it means; what did not happen has no row."""
    page = markdown_report(result(), command="make city", conditions="today")
    assert page.startswith("`make city`\n\ntoday\n")
    assert "| fare error | 1.478 % | 1.478 % | 1.478 % | 1 | Between the billed" in page
    assert "offer to device" not in page
    assert "- 0 violations." in page
    widths = {line.count("|") for line in page.splitlines() if line.startswith("|")}
    assert widths == {7}


def test_a_report_goes_between_its_marks() -> None:
    """What stood there is gone, other places stay, and a page without the marks is refused."""
    page = "a\n<!-- one -->\nold\n<!-- end of one -->\nb\n<!-- two -->\n<!-- end of two -->\n"
    new = put_between_marks(page, "one", "new\n")
    assert new == page.replace("old", "new")
    assert put_between_marks(new, "one", "new\n") == new
    for mark in ("three", "", "end of one"):
        with pytest.raises(ValueError, match="no place"):
            put_between_marks(page, mark, "new")
