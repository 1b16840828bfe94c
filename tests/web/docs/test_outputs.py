import pytest
from django.conf import settings

from web.docs.outputs import outputs

MADE = outputs()


@pytest.mark.parametrize("name", MADE)
def test_a_made_file_is_up_to_date(name: str) -> None:
    """What `make docs` makes is what is committed."""
    committed = (settings.BASE_DIR / name).read_text(encoding="utf-8")
    assert committed == MADE[name], f"{name} is stale: run `make docs`"
