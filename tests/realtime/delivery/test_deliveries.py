import inspect

import pytest

from realtime.delivery.deliveries import DeliveringLayer
from realtime.delivery.layers.memory import InProcessChannelLayer
from realtime.delivery.layers.redis import RedisChannelLayer


@pytest.mark.parametrize("layer", [InProcessChannelLayer, RedisChannelLayer])
def test_both_layers_take_batches_alike(layer: type) -> None:
    """The bridge and the embedded relay call the same method."""
    wanted = inspect.signature(DeliveringLayer.deliver_batch)
    assert inspect.signature(layer.deliver_batch) == wanted  # type: ignore[attr-defined]
