from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest

from rides.geo import GeoPoint
from rides.staff import columns


@pytest.mark.parametrize(
    ("column", "value", "text"),
    [
        (columns.money, 12500, "Rp 12.500"),
        (columns.money, -450, "-Rp 450"),
        (columns.kilometres, Decimal("3.340000000"), "3.340 km"),
        (columns.kilometres, 0.1 + 0.2, "0.300 km"),
        (columns.rough_distance, 0.38000000000000006, "380 m"),
        (columns.place, GeoPoint(-6.175400000000001, 106.8272), "-6.17540, 106.82720"),
    ],
)
def test_people_read_it(column: Any, value: Any, text: str) -> None:
    """No number has more digits than somebody reads."""
    assert column("what", "the name")(None, SimpleNamespace(what=value)) == text


def test_what_a_phone_did_not_say_is_empty() -> None:
    """Not "None m"."""
    accuracy = columns.unit("accuracy", "accuracy", "{:.0f} m")
    assert [accuracy(None, SimpleNamespace(accuracy=value)) for value in (4.7123, None)] == ["5 m", ""]
    assert accuracy.short_description == "accuracy"  # type: ignore[attr-defined]
