"""How people of staff read money and distances."""

from __future__ import annotations


def rupiah(amount: int) -> str:
    """Return an amount as it is written in Indonesia.

    >>> rupiah(12500)
    'Rp 12.500'
    >>> rupiah(-450)
    '-Rp 450'
    """
    return f"{'-' if amount < 0 else ''}Rp {abs(amount):,}".replace(",", ".")
