import asyncio
from collections import Counter
from typing import Any

import pytest
from django.core.handlers.asgi import ASGIHandler
from django.http import HttpRequest, HttpResponse

from common.handler import PROBES, BoundedASGIHandler
from tests.patience import until


async def test_only_so_many_requests_are_worked_on_at_once(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.HTTP_THREADS = 3
    working, most = 0, 0

    async def work(_self: ASGIHandler, _request: HttpRequest) -> HttpResponse:
        nonlocal working, most
        working += 1
        most = max(most, working)
        await asyncio.sleep(0.01)
        working -= 1
        return HttpResponse()

    monkeypatch.setattr(ASGIHandler, "run_get_response", work)
    handler = BoundedASGIHandler()
    answers = await asyncio.gather(*(handler.run_get_response(HttpRequest()) for _ in range(20)))
    assert len(answers) == 20
    assert most == 3


async def test_probes_do_not_wait_for_others(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """While every place is taken, health and metrics are answered; and a flood of probes takes only its own places."""
    settings.HTTP_THREADS = 2
    gate, working = asyncio.Event(), Counter[str]()

    async def work(_self: ASGIHandler, request: HttpRequest) -> HttpResponse:
        working[request.path] += 1
        if request.path != "/metrics":
            await gate.wait()
        return HttpResponse()

    def request_for(path: str) -> HttpRequest:
        request = HttpRequest()
        request.path = path
        return request

    monkeypatch.setattr(ASGIHandler, "run_get_response", work)
    handler = BoundedASGIHandler()
    paths = ["/api/rides/"] * 5 + ["/health/live"] * 3
    waiting = [asyncio.create_task(handler.run_get_response(request_for(path))) for path in paths]
    assert (await handler.run_get_response(request_for("/metrics"))).status_code == 200
    waiting += [asyncio.create_task(handler.run_get_response(request_for("/health/live"))) for _ in range(5)]
    await until(lambda: working == {"/api/rides/": 2, "/health/live": PROBES, "/metrics": 1})
    gate.set()
    await asyncio.gather(*waiting)
