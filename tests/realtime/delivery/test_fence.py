from realtime.bridge.lease import LeaseLost
from realtime.bridge.position import StreamReplaced
from realtime.bridge.watchdog import Stalled
from realtime.delivery.fence import Fenced, NotActive


def test_whatever_ends_a_turn_means_the_same() -> None:
    """Four faults, one meaning: this bridge is not the active one any more."""
    assert {Fenced, LeaseLost, Stalled, StreamReplaced} == set(NotActive.__subclasses__())
