import pytest

from users.models import User
from users.serializers import CodeRequest, LoginRequest, ProfileRequest, UserSerializer


def test_numbers_are_normalised_on_the_way_in() -> None:
    request = CodeRequest(data={"msisdn": "0812 0000 0001"})
    assert request.is_valid()
    assert request.validated_data == {"msisdn": "+6281200000001"}


@pytest.mark.parametrize(
    "otp",
    ["123456", " 123 456\n", "123-456", "\uff11\uff12\uff13\uff14\uff15\uff16", "\u0661\u0662\u0663 \u0664\u0665\u0666",
     "\u200e123\u2011456", 123456],
)  # fmt: skip
def test_a_code_is_read_however_it_is_typed(otp: object) -> None:
    """Spaces, hyphens, invisible marks and other scripts do not make a code wrong."""
    request = LoginRequest(data={"msisdn": "+6281200000001", "otp": otp})
    assert request.is_valid()
    assert request.validated_data["otp"] == "123456"


@pytest.mark.parametrize("otp", ["12345", "1234567", "12345a", "", None, ["1"] * 6, "12.34.56", "\u00b9" * 6, "1" * 40])
def test_a_code_is_six_digits(otp: object) -> None:
    assert not LoginRequest(data={"msisdn": "+6281200000001", "otp": otp}).is_valid()


def test_fields_that_cannot_be_written_are_refused_by_name() -> None:
    request = ProfileRequest(data={"full_name": "X", "role": "driver", "id": "1", "unknown": 1})
    assert not request.is_valid()
    assert set(request.errors) == {"id", "role"}


def test_only_drivers_have_a_vehicle(putri: User, dewi: User) -> None:
    assert "driver" not in UserSerializer(putri).data
    assert UserSerializer(dewi).data["driver"] == {"vehicle_type": "motorcycle", "vehicle_plate": "B 1234 XYZ"}
