from decimal import Decimal
from typing import Any

import pytest

from rides.limits import limits_now


@pytest.mark.parametrize(("vehicle", "kmh"), [("", 200), ("motorcycle", 130), ("car", 200), ("van", 200)])
def test_a_kind_of_vehicle_may_have_a_lower_limit(settings: Any, vehicle: str, kmh: float) -> None:
    """Never a higher one than all."""
    settings.RIDES_MAX_SPEEDS_KMH = {"motorcycle": Decimal(130), "van": Decimal(300)}
    assert limits_now(vehicle).max_speed_kmh == kmh
    settings.RIDES_MAX_SPEED_KMH = Decimal(0)
    assert limits_now(vehicle).max_speed_kmh == 0
