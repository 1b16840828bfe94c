from xml.etree import ElementTree as ET

import pytest

from simulation.city.figures import Figure
from simulation.city.promises import Violation
from simulation.city.report import BARS, histogram, html_report, text_report
from simulation.city.run import CityResult
from tests.simulation.city.ride import honest


def result(*violations: Violation) -> CityResult:
    record, facts = honest()
    return CityResult(record, facts, list(violations), mishaps=[], cuts=2, seconds=30)


def test_the_text_has_all_figures() -> None:
    """The lines say what became of the rides, each figure and how many promises were broken."""
    text = "\n".join(text_report(result(Violation("order", "x"))))
    assert "Rides: 1 COMPLETED." in text
    assert "fare error: p50 1.478, p99 1.478 % (1 times)" in text
    assert "1 violations." in text


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
