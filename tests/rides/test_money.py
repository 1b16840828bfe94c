import pytest

from rides.money import rupiah


@pytest.mark.parametrize(
    ("amount", "text"),
    [(0, "Rp 0"), (999, "Rp 999"), (12_500, "Rp 12.500"), (1_234_567, "Rp 1.234.567"), (-450, "-Rp 450")],
)
def test_money_is_written_as_in_indonesia(amount: int, text: str) -> None:
    assert rupiah(amount) == text
