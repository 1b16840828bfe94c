from realtime.bridge.counts import Counts


def test_they_are_one_line() -> None:
    """Operators read it as the last line of the command."""
    assert str(Counts(delivered=3, dead=1)) == "delivered=3 ignored=0 dead=1 relayed=0 replayed=0"
