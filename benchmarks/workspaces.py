"""Workspaces: a start with packages that are there, suspending, resuming; a shell, and JupyterLab to its first page.

JupyterLab comes from where the machine's pip configuration says; where it is not to be had, its figures are left out.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2

from benchmarks.figures import Figure, median
from benchmarks.instance import running
from gigawatt.sdk.client import Client

RUNS = 5
PAGES = 50


def run() -> list[Figure]:
    with running() as instance, Client(instance.api_url, instance.token) as client:
        figures = _lives(client, "shell")
        client.workspaces.make(name="first", program="jupyter", gang={"cpus": 0.1})
        first = client.workspaces.wait("first")
        if first["phase"] != "running":
            print(f"JupyterLab is left out: {first['message']}")
            return figures
        client.workspaces.delete("first")
        return [*figures, *_lives(client, "jupyter")]


def _lives(client: Client, program: str) -> list[Figure]:
    """Made, used, suspended, resumed, several times over."""
    starts: list[float] = []
    suspensions: list[float] = []
    resumptions: list[float] = []
    pages: list[float] = []
    kept = 0
    for number in range(RUNS):
        name = f"{program}-{number}"
        began = time.monotonic()
        client.workspaces.make(name=name, program=program, gang={"cpus": 0.1})
        _until(client, name, "running")
        if program == "jupyter":
            _page(client, name)
        starts.append(time.monotonic() - began)
        note = Path(client.workspaces.find(name)["home"], "note.txt")
        note.write_text(name)
        if program == "jupyter" and number == 0:
            pages = _pages(client, name)
        began = time.monotonic()
        client.workspaces.suspend(name)
        _until(client, name, "suspended")
        suspensions.append(time.monotonic() - began)
        began = time.monotonic()
        client.workspaces.start(name)
        _until(client, name, "running")
        if program == "jupyter":
            _page(client, name)
        resumptions.append(time.monotonic() - began)
        kept += note.read_text() == name
        client.workspaces.delete(name, purge=True)
    what = "to its first page" if program == "jupyter" else "to a shell that answers"
    figures = [
        Figure(what=f"{program}: start", value=median(starts), unit="s", goal=5, note=what),
        Figure(what=f"{program}: suspend", value=median(suspensions), unit="s", goal=5),
        Figure(what=f"{program}: resume", value=median(resumptions), unit="s", goal=5, note=what),
        Figure(
            what=f"{program}: homes as they were left",
            value=100 * kept / RUNS,
            unit="%",
            goal=100,
            at_least=True,
        ),
    ]
    if pages:
        note = "a small answer of JupyterLab, through proxy and desk"
        figures.append(Figure(what="a request", value=median(pages), unit="ms", note=note))
    return figures


def _until(client: Client, name: str, phase: str) -> None:
    while (view := client.workspaces.find(name))["phase"] != phase:
        assert view["phase"] != "failed", view["message"]
        time.sleep(0.02)


def _page(client: Client, name: str) -> None:
    with _inside(client, name) as (browser, base):
        assert "JupyterLab" in browser.get(base, follow_redirects=True).text


def _pages(client: Client, name: str) -> list[float]:
    times: list[float] = []
    with _inside(client, name) as (browser, base):
        for _ in range(PAGES):
            began = time.monotonic()
            assert browser.get(f"{base}api").is_success
            times.append((time.monotonic() - began) * 1000)
    return times


@contextmanager
def _inside(client: Client, name: str) -> Iterator[tuple[httpx2.Client, str]]:
    """A browser that has come in, and where it is."""
    link = client.workspaces.open(name)["url"]
    with httpx2.Client(timeout=30) as browser:
        assert browser.get(link).status_code == 303
        yield browser, link.partition("?")[0]
