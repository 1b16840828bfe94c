import inspect

import msgspec
import pytest

from realtime.commands.routes import ROUTES


@pytest.mark.parametrize("name", ROUTES)
def test_a_service_takes_the_fields_of_its_command(name: str) -> None:
    route = ROUTES[name]
    if route.service is None:
        return
    parameters = inspect.signature(route.service).parameters
    assert set(parameters) == {"user_id", *route.command.__struct_fields__}
    assert all(parameter.kind is inspect.Parameter.KEYWORD_ONLY for parameter in parameters.values())
    for field in msgspec.structs.fields(route.command):
        optional = parameters[field.name].default is not inspect.Parameter.empty
        assert optional != field.required, field.name


def test_only_what_costs_a_search_or_a_booking_is_limited_by_user() -> None:
    assert {name for name, route in ROUTES.items() if route.costly} == {"finder_update", "match_confirm"}
