"""The console's navigation: every place that there is meant to be, in order. Those without a page are not shown."""

from dataclasses import dataclass

BASE = "/console"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """`key` is what `g` and this letter lead to."""

    name: str
    title: str
    path: str
    key: str
    group: str


ENTRIES = (
    Entry(name="overview", title="Overview", path="/", key="o", group="Now"),
    Entry(name="jobs", title="Jobs", path="/jobs", key="j", group="Work"),
    Entry(name="queue", title="Queue", path="/queue", key="q", group="Work"),
    Entry(name="endpoints", title="Endpoints", path="/endpoints", key="e", group="Work"),
    Entry(name="models", title="Models", path="/models", key="m", group="Work"),
    Entry(name="workspaces", title="Workspaces", path="/workspaces", key="w", group="Work"),
    Entry(name="fleet", title="Fleet", path="/fleet", key="f", group="Site"),
    Entry(name="nodes", title="Nodes", path="/nodes", key="n", group="Site"),
    Entry(name="twin", title="Twin", path="/twin", key="x", group="Site"),
    Entry(name="tenants", title="Tenants", path="/tenants", key="t", group="People"),
)


def url(path: str) -> str:
    """The URL of a path of the console."""
    return f"{BASE}{path}" if path != "/" else f"{BASE}/"
