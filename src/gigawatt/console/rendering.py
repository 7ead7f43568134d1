"""Templates: one environment for all pages, with the filters and functions that they share."""

from functools import cache
from typing import Any
from urllib.parse import urlencode

from jinja2 import Environment, PackageLoader, StrictUndefined

from gigawatt import clock
from gigawatt.console import charts, formats
from gigawatt.console.assets import asset_url
from gigawatt.console.navigation import url


@cache
def environment() -> Environment:
    """A name that a template misspells is an error, and everything is escaped."""
    made = Environment(
        loader=PackageLoader("gigawatt.console", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    filters: dict[str, Any] = {
        "duration": formats.duration,
        "moment": formats.moment,
        "iso": formats.iso,
        "size": formats.size,
        "count": formats.count,
        "share": formats.share,
        "money": formats.money,
        "devices": formats.devices,
        "shares": formats.shares,
        "shares_text": formats.shares_text,
        "ago": _ago,
        "clock": _clock_time,
    }
    made.filters.update(filters)
    shared: dict[str, Any] = {
        "url": url,
        "asset": asset_url,
        "query": _query,
        "now_ms": clock.now_ms,
        "sparkline": charts.sparkline,
        "stacked_bar": charts.stacked_bar,
        "stacked_area": charts.stacked_area,
    }
    made.globals.update(shared)
    return made


def rendered(template: str, **context: Any) -> str:
    """A template as text."""
    return environment().get_template(template).render(**context)


def _ago(ms: int | None) -> str:
    return formats.ago(ms, clock.now_ms())


def _clock_time(ms: int | None) -> str:
    return formats.clock_time(ms, clock.now_ms())


def _query(given: dict[str, Any], **changed: Any) -> str:
    """The query of a link: what is given, with some of it changed; what is empty is left out. `?` alone for none."""
    merged = {**given, **changed}
    kept = {key: value for key, value in merged.items() if value not in ("", None, [], ())}
    return f"?{urlencode(kept, doseq=True)}"
