"""What the servers of a benchmark send codes with; a module of its own, because they import it when they start."""

from __future__ import annotations


class Silent:
    """Sends no text messages."""

    def send(self, msisdn: str, text: str) -> None:
        """Do nothing."""
