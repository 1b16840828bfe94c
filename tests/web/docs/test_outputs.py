import pytest
from django.conf import settings

from web.docs.outputs import OUTPUTS


@pytest.mark.parametrize("name", OUTPUTS)
def test_a_made_file_is_up_to_date(name: str) -> None:
    """What `make docs` makes is what is committed."""
    committed = (settings.BASE_DIR / name).read_text(encoding="utf-8")
    assert committed == OUTPUTS[name](), f"{name} is stale: run `make docs`"
