"""Pages that are open, as their streams show them: to each what it may see, and no longer than it may."""

import http.client
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
from benchmarks.http import Api
from benchmarks.instance import Instance

from tests.surface.console.work import Work

pytestmark = pytest.mark.slow

PATIENCE_S = 60.0
LISTS = f"/console/live?of={quote('/console/jobs', safe='')}&on=job."


def test_a_page_that_looks_alike_for_some_shows_nobody_what_is_not_theirs(
    instance: Instance, api: Api, work: Work
) -> None:
    assert api.call("POST", "/v1/projects", {"name": "others"})[0] == 201
    theirs = _key(api, project="others")
    mine = _key(api)
    with _opened(instance, instance.token) as operator, _opened(instance, mine["key"]) as viewer:
        assert "train-small" in _content(operator)
        assert "train-small" in _content(viewer)
    with _opened(instance, theirs["key"]) as stranger:
        content = _content(stranger)
        assert ("train-small" in content, "Nothing was submitted yet" in content) == (False, True)


def test_a_stream_ends_with_the_key_that_opened_it(instance: Instance, api: Api) -> None:
    key = _key(api)
    with _opened(instance, key["key"]) as stream:
        assert _content(stream)
        assert api.call("DELETE", f"/v1/keys/{key['id']}")[0] in {200, 204}
        try:
            stream.read()
        except http.client.IncompleteRead:
            return  # it ended in the middle of a reply, as it must


def test_only_pages_of_the_console_are_kept_current(instance: Instance) -> None:
    for of in ("/v1/jobs", "https://example.org/console/", "//example.org/console/"):
        connection = _connection(instance)
        path = f"/console/live?of={quote(of, safe='')}&on=job."
        connection.request("GET", path, headers={"Authorization": f"Bearer {instance.token}"})
        reply = connection.getresponse()
        assert (reply.status, b"data:" in reply.read()) == (422, False)
        connection.close()


def _key(api: Api, **fields: str) -> dict[str, Any]:
    status, view = api.call("POST", "/v1/keys", {"name": "reader", "role": "viewer", **fields})
    assert status == 201, view
    return view


@contextmanager
def _opened(instance: Instance, token: str) -> Generator[http.client.HTTPResponse]:
    connection = _connection(instance)
    connection.request("GET", LISTS, headers={"Authorization": f"Bearer {token}"})
    reply = connection.getresponse()
    assert reply.status == 200
    try:
        yield reply
    finally:
        connection.close()


def _connection(instance: Instance) -> http.client.HTTPConnection:
    parts = urlsplit(instance.api_url)
    assert parts.hostname is not None
    return http.client.HTTPConnection(parts.hostname, parts.port, timeout=PATIENCE_S)


def _content(stream: http.client.HTTPResponse) -> str:
    """The next that a page is to show."""
    lines: list[str] = []
    while (line := stream.readline().decode().rstrip("\n")) or not lines:
        if line.startswith("data: "):
            lines.append(line)
    return "\n".join(lines)
