"""The documents for people and for machines: the protocol of the socket, and the REST calls."""

from __future__ import annotations

import hashlib
from functools import cache

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import translation
from django.views.decorators.cache import cache_control
from django.views.decorators.http import condition, conditional_page, require_safe
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.renderers import OpenApiJsonRenderer2, OpenApiYamlRenderer2

from common.rest.exception_handler import only_reading
from web.docs.asyncapi import render as asyncapi_text
from web.docs.page import page

FRESH = 300
"""Seconds for which a browser need not ask for a document again; it changes with the version of the server only."""

YAML, JSON = OpenApiYamlRenderer2.media_type, OpenApiJsonRenderer2.media_type


@require_safe
@cache_control(max_age=FRESH)
@conditional_page
def protocol(request: HttpRequest) -> HttpResponse:
    """Show the protocol of the socket; documents for developers are in English."""
    with translation.override("en"):
        return render(request, "web/docs.html", {"page": page(settings.PUBLIC_URL), "version": settings.VERSION})


def _asyncapi_etag(request: HttpRequest) -> str:
    return _etag(asyncapi_text(settings.PUBLIC_URL).encode())


@require_safe
@cache_control(public=True, max_age=FRESH)
@condition(_asyncapi_etag)
def asyncapi(request: HttpRequest) -> HttpResponse:
    """Hand out the AsyncAPI document."""
    return HttpResponse(asyncapi_text(settings.PUBLIC_URL), content_type="application/json")


@only_reading
@cache_control(max_age=FRESH)
@conditional_page
def rest(request: HttpRequest) -> HttpResponse:
    """Show the REST calls; the page reads `schema`."""
    with translation.override("en"):
        return render(request, "web/rest.html")


def _schema_kind(request: HttpRequest) -> str:
    """Return what is asked for, by `?format=` or by the Accept header."""
    asked = {"json": JSON, "yaml": YAML}.get(request.GET.get("format", ""))
    return asked or request.get_preferred_type([JSON, YAML, "application/vnd.oai.openapi"]) or JSON


def _schema_etag(request: HttpRequest) -> str:
    return _etag(openapi(_schema_kind(request)))


@only_reading
@cache_control(public=True, max_age=FRESH)
@condition(_schema_etag)
def schema(request: HttpRequest) -> HttpResponse:
    """Hand out the OpenAPI document, as JSON or as YAML."""
    kind = _schema_kind(request)
    response = HttpResponse(openapi(kind), content_type=kind)
    response.headers["Vary"] = "Accept"
    return response


@cache
def openapi(kind: str = YAML) -> bytes:
    """Return the OpenAPI document; it is made once."""
    with translation.override("en"):
        made = SchemaGenerator().get_schema(request=None, public=True)
    renderer = OpenApiJsonRenderer2() if kind == JSON else OpenApiYamlRenderer2()
    return bytes(renderer.render(made, renderer_context={}))


@cache
def _etag(content: bytes) -> str:
    return f'"{hashlib.sha256(content).hexdigest()[:32]}"'
