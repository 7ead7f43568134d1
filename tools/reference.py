"""Write the reference pages from the code: `python tools/reference.py`. tests/house checks that they are current."""

import sys
from collections.abc import Iterator
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any, get_type_hints

import click
from fastapi import FastAPI

from gigawatt.api import openapi
from gigawatt.api.app import ALL_ROUTES
from gigawatt.cli.app import app as cli
from gigawatt.gateway.metrics import Counter
from gigawatt.gateway.metrics import Metrics as GatewayMetrics
from gigawatt.model.refusal import STATUS
from gigawatt.settings import Settings
from gigawatt.telemetry.names import TABLE
from gigawatt.version import __version__

DIRECTORY = Path(__file__).resolve().parents[1] / "docs" / "reference"
MADE = "<!-- Made from the code by `make docs`; edit the code. -->"


def main() -> int:
    """Write every page anew."""
    for name, text in pages().items():
        (DIRECTORY / name).write_text(text)
    return 0


def pages() -> dict[str, str]:
    """Each page's file name and text."""
    return {
        "api.md": _page("HTTP API", _api()),
        "cli.md": _page("Commands", _commands()),
        "metrics.md": _page("Metrics", _metrics()),
        "settings.md": _page("Settings", _settings()),
    }


def _page(title: str, lines: Iterator[str]) -> str:
    return "\n".join([f"# {title}", "", MADE, "", *lines]).rstrip() + "\n"


def _table(head: list[str], rows: list[list[str]]) -> Iterator[str]:
    yield _row(head)
    yield _row(["---"] * len(head))
    yield from map(_row, rows)
    yield ""


def _row(cells: list[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"


def _settings() -> Iterator[str]:
    yield "Flags of `gw up` win over these variables, and these over the defaults."
    yield ""
    hints = get_type_hints(Settings, include_extras=True)
    rows: list[list[str]] = []
    for each in fields(Settings):
        kind, about = hints[each.name].__origin__, hints[each.name].__metadata__[0]
        default = "by the platform" if each.default is MISSING else f"`{each.default}`"
        default = "" if default == "``" else default
        rows.append([f"`GIGAWATT_{each.name.upper()}`", kind.__name__, default, about])
    yield from _table(["variable", "type", "default", "what it is"], rows)


def _metrics() -> Iterator[str]:
    head = ["name", "kind", "labels", "what it is"]
    yield "What `/metrics` exports, in Prometheus' text format: first that of the API, then that of the gateway."
    yield ""
    rows = [[f"`{m.name}`", m.kind, ", ".join(m.labels), m.help] for m in TABLE]
    yield from _table(head, rows)
    rows = [
        [f"`{m.name}`", m.kind, ", ".join(m.labels), m.help]
        if isinstance(m, Counter)
        else [f"`{m.name}`", "histogram", "endpoint", m.help]
        for m in vars(GatewayMetrics()).values()
    ]
    yield from _table(head, rows)


def _commands() -> Iterator[str]:
    yield "Exit status: 0 done, 1 the thing failed, 2 the request was wrong, 130 interrupted."
    yield ""
    yield from _command(cli, click.Context(cli, info_name="gw", **cli.context_settings))


def _command(command: click.Command, context: click.Context) -> Iterator[str]:
    usage = " ".join([context.command_path, *command.collect_usage_pieces(context)])
    yield f"## `{context.command_path}`"
    yield ""
    yield f"`{usage}`"
    yield ""
    yield from _prose(command.help or "")
    rows = [
        [f"`{record[0]}`", record[1]]
        for param in command.get_params(context)
        if (record := param.get_help_record(context)) is not None and record[1]
    ]
    yield from _table(["option", "what it does"], rows)
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None, name
            if not below.hidden:
                inner = click.Context(below, info_name=name, parent=context)
                yield from _command(below, inner)


def _prose(text: str) -> Iterator[str]:
    """A command's help; blocks that it keeps from being wrapped are code."""
    for block in text.split("\n\n"):
        kept, _, rest = block.partition("\b\n")
        if rest:
            yield from ["```", *rest.splitlines(), "```", ""]
        elif kept.strip():
            yield from [" ".join(kept.split()), ""]


def _api() -> Iterator[str]:
    yield "Every call but those of `health` needs `Authorization: Bearer KEY`. Bodies and answers are JSON. The whole"
    yield "document, with every schema, is served as `/openapi.json`."
    yield ""
    yield "A refused request is answered with a problem (RFC 9457): `type`, `title`, `status`, `detail`, and where they"
    yield "apply `field`, `hint` and `faults[]`. `type` ends in one of:"
    yield ""
    yield from _table(["code", "status"], [[f"`{code}`", str(STATUS[code])] for code in STATUS])
    entries = _entries()
    for tag in sorted({entry["tags"][0] for _, _, entry in entries}):
        yield f"## {tag}"
        yield ""
        rows = [
            [f"`{method.upper()} {path}`", entry["summary"], _parameters(entry)]
            for path, method, entry in entries
            if entry["tags"][0] == tag
        ]
        yield from _table(["call", "what it does", "takes"], rows)


def _entries() -> list[tuple[str, str, dict[str, Any]]]:
    application = FastAPI(version=__version__)
    for routes in ALL_ROUTES:
        application.router.routes.extend(routes.router.routes)
    document = openapi.document(application, ALL_ROUTES)
    return [
        (path, method, entry)
        for path, methods in sorted(document["paths"].items())
        for method, entry in methods.items()
    ]


def _parameters(entry: dict[str, Any]) -> str:
    """The body's form, then query parameters and headers by name."""
    bodies = entry.get("requestBody", {}).get("content", {}).values()
    taken = [body["schema"].get("$ref", "bytes").rsplit("/", 1)[-1] for body in bodies]
    taken += [f"`{p['name']}`" for p in entry.get("parameters", []) if p["in"] != "path"]
    return ", ".join(taken)


if __name__ == "__main__":
    sys.exit(main())
