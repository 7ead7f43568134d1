"""Jobs, futures and lists as HTML for notebooks: escaped text in tables, without script or style from elsewhere."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from html import escape
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from gigawatt.sdk.batch import Batch
    from gigawatt.sdk.futures import Future
    from gigawatt.sdk.views import JobView

ROWS_SHOWN_MAX = 20
TEXT_CHARS_MAX = 200
_COLOURS = {
    "succeeded": "#1a7f37",
    "ready": "#1a7f37",
    "running": "#0969da",
    "failed": "#cf222e",
    "cancelled": "#6e7781",
}

Row = Mapping[str, Any]
Column = tuple[str, Callable[[Row], str]]


def job_html(view: "JobView") -> str:
    """One job: what it is, how far, and why it waits or failed."""
    row = cast("Row", view)
    lines = [("id", _text(view["id"])), ("phase", _phase(view["phase"]))]
    lines += [("progress", _progress(row))] if view["progress"] else []
    lines += [("waits", _text(view["reason"]["message"]))] if view["reason"] else []
    lines += [("message", _text(view["message"]))] if view["message"] else []
    lines.append(("attempts", str(len(view["attempts"]))))
    lines.append(("submitted", _time(view["created_ms"])))
    return _table([[f"<b>{name}</b>", value] for name, value in lines], [_text(view["name"]), ""])


def future_html(future: "Future[Any]") -> str:
    """A future as its job, with what it holds once it is done."""
    if not future.done() or future.cancelled():
        return job_html(future.job.view)
    error = future.exception()
    held = _text(repr(future.result() if error is None else error))
    return f"{job_html(future.job.view)}<pre>{held}</pre>"


def batch_html(batch: "Batch[Any]") -> str:
    """How many of a batch are done, and its first jobs."""
    done = sum(each.done() for each in batch.futures)
    shown = [cast("Row", each.job.view) for each in batch.futures[:ROWS_SHOWN_MAX]]
    more = len(batch) > ROWS_SHOWN_MAX
    return f"<p>{done} of {len(batch)} done</p>{listing_html(shown, more=more)}"


def listing_html(items: Sequence[Any], *, more: bool) -> str:
    """Jobs, endpoints or models as a table, told apart by what they have."""
    rows = [cast("Row", each) for each in items]
    if not rows:
        return "<p>none</p>"
    columns = next((each for kind, each in _KINDS.items() if kind in rows[0]), _OTHERS)
    body = [[cell(row) for _, cell in columns] for row in rows]
    rest = "<p>… and more</p>" if more else ""
    return _table(body, [name for name, _ in columns]) + rest


def _table(rows: list[list[str]], head: list[str]) -> str:
    """Cells are HTML already."""
    top = "".join(f'<th style="text-align:left">{cell}</th>' for cell in head)
    lines = "".join(
        "<tr>" + "".join(f'<td style="text-align:left">{cell}</td>' for cell in row) + "</tr>"
        for row in rows
    )
    return f"<table><thead><tr>{top}</tr></thead><tbody>{lines}</tbody></table>"


def _text(value: object) -> str:
    text = str(value)
    return escape(text if len(text) <= TEXT_CHARS_MAX else text[:TEXT_CHARS_MAX] + "…")


def _phase(phase: object) -> str:
    colour = _COLOURS.get(str(phase), "#9a6700")
    return f'<span style="color:{colour}">{_text(phase)}</span>'


def _time(at_ms: object) -> str:
    if not isinstance(at_ms, int):
        return ""
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _progress(row: Row) -> str:
    told = cast("Row", row["progress"] or {})
    return ", ".join(
        f"{name} {_text(told[name])}" for name in ("step", "loss") if told.get(name) is not None
    )


def _plain(name: str) -> Column:
    return name, lambda row: _text(row.get(name, ""))


def _aliases(row: Row) -> str:
    return ", ".join(
        f"{_text(alias)} → {number}" for alias, number in sorted(row["aliases"].items())
    )


_KINDS: dict[str, tuple[Column, ...]] = {
    "attempts": (
        _plain("name"),
        ("phase", lambda row: _phase(row["phase"])),
        ("progress", _progress),
        ("submitted", lambda row: _time(row["created_ms"])),
        _plain("id"),
    ),
    "replicas": (
        _plain("name"),
        ("phase", lambda row: _phase(row["phase"])),
        _plain("model"),
        ("replicas", lambda row: f"{row['replicas']['ready']} of {row['replicas']['wanted']}"),
        _plain("url"),
    ),
    "aliases": (_plain("name"), _plain("newest"), ("aliases", _aliases), _plain("project")),
}
_OTHERS: tuple[Column, ...] = (_plain("name"), _plain("id"))
