import ast
import inspect

from rides import matching
from rides.services import proposals


def test_every_outcome_that_the_code_knows_can_be_chosen() -> None:
    returns = [
        node for node in ast.walk(ast.parse(inspect.getsource(matching._objection))) if isinstance(node, ast.Return)
    ]
    found = {
        one.value
        for node in returns
        for one in ast.walk(node)
        if isinstance(one, ast.Constant) and isinstance(one.value, str) and one.value
    }
    assert found | {"asked", "asked_by_a_service"} == set(matching.OUTCOMES)
    assert '"asked_by_a_service"' in inspect.getsource(proposals)
