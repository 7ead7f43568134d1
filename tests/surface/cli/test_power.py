"""`gw power`, as people and programs see it."""

from typing import Any

from tests.surface.cli.conftest import Gw
from tests.surface.cli.double import Answer, ApiDouble


def feed(name: str, **fields: Any) -> dict[str, Any]:
    bare: dict[str, Any] = {"parent": "", "cap": None, "drawn": 0.0, "supplies": [], "version": 1}
    return {"name": name, **bare, **fields}


def test_what_is_named_of_a_feed_is_set(gw: Gw, api: ApiDouble) -> None:
    row = feed("row-2", cap=120_000.0, drawn=12_500.0, parent="hall", supplies=["rack=r7"])
    api.on("PUT", "/v1/power/row-2", Answer(body=row))
    options = ("--cap", "120kW", "--parent", "hall", "--supplies", "rack=r7")
    done = gw("power", "set", "row-2", *options)
    assert api.requests[-1].json == {"cap": "120kW", "parent": "hall", "supplies": ["rack=r7"]}
    assert "107.5 kW" in done.stdout
    gw("power", "set", "row-2", "--cap", "none", "--parent", "none")
    assert api.requests[-1].json == {"cap": None, "parent": ""}


def test_the_tree_is_shown_from_the_top(gw: Gw, api: ApiDouble) -> None:
    items = [feed("pdu", parent="row"), feed("row", parent="hall"), feed("hall", cap=2e6)]
    api.on("GET", "/v1/power", Answer(body={"items": items, "next": ""}))
    done = gw("power", "show")
    lines = [line.rstrip() for line in done.stdout.splitlines()]
    assert [line.split()[0] for line in lines] == ["FEED", "hall", "row", "pdu"]
    assert "2 MW" in lines[1]
    assert lines[3].startswith("    pdu")


def test_a_feed_is_removed(gw: Gw, api: ApiDouble) -> None:
    api.on("DELETE", "/v1/power/row", Answer(body=feed("row")))
    assert "row is removed" in gw("power", "remove", "row").stderr
