import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.conf import settings
from django.test import Client, override_settings

from web.docs.asyncapi import document
from web.docs.views import JSON, YAML, openapi

PAGES = ("/docs/", "/docs/asyncapi.json", "/api/docs/", "/api/schema/", "/api/schema/?format=yaml")


@pytest.mark.parametrize("path", PAGES)
def test_anybody_may_read_the_documents_and_keep_them_for_a_while(client: Client, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 200
    assert "max-age=300" in answer.headers["Cache-Control"]
    again = client.get(path, headers={"If-None-Match": answer.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert client.head(path).status_code == 200
    assert client.post(path).status_code == 405
    assert not client.cookies


@override_settings(API_THROTTLE=1)
@pytest.mark.parametrize("path", PAGES)
def test_reading_does_not_count_as_a_call(client: Client, path: str) -> None:
    assert [client.get(path).status_code for _ in range(5)] == [200] * 5


@pytest.mark.parametrize("path", ["/docs/", "/api/docs/"])
def test_a_page_has_nothing_inline(client: Client, path: str) -> None:
    text = client.get(path).content.decode()
    assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)", text)
    assert "://" not in re.sub(r"<code[^>]*>.*?</code>", "", text, flags=re.DOTALL).replace("http://www.w3.org", "")


def test_every_link_within_the_page_leads_somewhere_and_no_anchor_is_there_twice(client: Client) -> None:
    text = client.get("/docs/").content.decode()
    anchors = re.findall(r'\sid="([^"]+)"', text)
    assert len(anchors) == len(set(anchors))
    links = set(re.findall(r'href="#([^"]+)"', text))
    assert len(links) >= 50
    assert links <= set(anchors)
    labels = set(re.findall(r'aria-labelledby="([^"]+)"', text))
    assert labels <= set(anchors)


@pytest.mark.parametrize(
    "anchor",
    ["command-ride_start", "message-ride_start", "type-RideSnapshot", "error-RATE_LIMIT", "close-4409", "resuming"],
)
def test_a_link_from_elsewhere_finds_its_place(client: Client, anchor: str) -> None:
    assert f'id="{anchor}"' in client.get("/docs/").content.decode()


def test_the_page_links_to_the_documents(client: Client) -> None:
    text = client.get("/docs/").content.decode()
    assert 'href="/docs/asyncapi.json"' in text
    assert 'href="/api/docs/"' in text
    assert 'href="/api/schema/"' in client.get("/api/docs/").content.decode()


@override_settings(PUBLIC_URL="https://nebeng.example")
def test_the_documents_name_the_server_that_hands_them_out(client: Client) -> None:
    made = client.get("/docs/asyncapi.json")
    assert made.headers["Content-Type"] == "application/json"
    assert made.json() == json.loads(json.dumps(document("https://nebeng.example")))
    assert "wss://nebeng.example/ws/" in client.get("/docs/").content.decode()


@pytest.mark.parametrize(
    ("query", "accept", "kind"),
    [
        ("", "*/*", JSON),
        ("", "application/json", JSON),
        ("", "text/html, */*;q=0.1", JSON),
        ("", "text/html", JSON),
        ("", "application/yaml", YAML),
        ("", "application/yaml;q=0.5, application/json", JSON),
        ("?format=yaml", "application/json", YAML),
        ("?format=json", "application/yaml", JSON),
        ("?format=xml", "*/*", JSON),
    ],
)
def test_the_schema_comes_as_json_or_yaml(client: Client, query: str, accept: str, kind: str) -> None:
    answer = client.get(f"/api/schema/{query}", headers={"Accept": accept})
    assert answer.headers["Content-Type"] == kind
    made = json.loads(answer.content) if kind == JSON else yaml.safe_load(answer.content)
    assert made["openapi"].startswith("3.1")
    assert "Accept" in answer.headers["Vary"]


def test_the_version_of_the_documents_is_that_of_the_project() -> None:
    project = tomllib.loads((Path(settings.BASE_DIR) / "pyproject.toml").read_text())["project"]
    assert project["version"] == settings.VERSION


@pytest.mark.parametrize("debug", [True, False])
def test_the_document_is_the_same_while_debugging(debug: bool) -> None:
    def made() -> Any:
        openapi.cache_clear()
        return openapi(JSON)

    with override_settings(DEBUG=debug):
        assert json.loads(made()) == yaml.safe_load((Path(settings.BASE_DIR) / "docs/openapi.yaml").read_text())
    openapi.cache_clear()
