import pytest

from realtime.commands.routes import ROUTES
from realtime.contract.frames import CloseCode
from rides.events import EVENTS
from web.docs.outputs import default_url
from web.docs.reference import render

TEXT = render(default_url())


def test_everything_is_on_the_page() -> None:
    """Every type, subject and close code."""
    for name in ROUTES:
        assert f'### <a id="command-{name}"></a>`{name}`' in TEXT
    for event in EVENTS:
        assert f'### <a id="message-{event.type}"></a>`{event.type}`' in TEXT
        assert f"`{event.subject}`" in TEXT
    for code in CloseCode:
        assert f'<a id="close-{int(code)}"></a>{int(code)} | {code.meaning} |' in TEXT


@pytest.mark.parametrize(
    "row",
    [
        "| `data.latitude` | number | -90 to 90 | required | Degrees north of the equator (WGS 84). |",
        "| `data.accuracy` | number or null | from 0 | optional | Metres by which the position may be wrong. |",
        "| `data.adjustment_factor` | number | 0 to 1, by default 1 | optional |",
        "| `data.status` | string | `ONGOING` | required | The state of the ride. |",
        "| `ride` | [RideCard](#type-RideCard) or null |  | required |",
        "| `proposals` | list of [OpenMatch](#type-OpenMatch) |  | required |",
        "| `allowed_actions` | list of string | `location_update`, ",
        "| `data.code` | string | `INTERNAL_ERROR`, ",
    ],
)
def test_a_field_has_its_type_range_and_meaning(row: str) -> None:
    """In one line of a table."""
    assert row in TEXT


def test_who_sends_and_who_gets_a_frame() -> None:
    """And the subject between services."""
    assert "Sent by: driver or passenger." in TEXT
    assert "Sent to: the other party of the current ride." in TEXT
    assert "Sent to: driver and passenger. Between services: `match.confirmed`, `match.accepted`." in TEXT


def test_no_mark_is_left() -> None:
    """Every `{mark}` of the template is replaced."""
    assert "{commands}" not in TEXT
    assert "`command_rate` 10" in TEXT
