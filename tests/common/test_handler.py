import asyncio
from typing import Any

import pytest
from django.core.handlers.asgi import ASGIHandler
from django.http import HttpRequest, HttpResponse

from common.handler import BoundedASGIHandler


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
