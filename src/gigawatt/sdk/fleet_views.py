"""What the API answers about the fleet, as types. See `gigawatt.sdk.views`."""

from typing import TypedDict


class FleetCountView(TypedDict):
    """GPUs of nodes that take gangs are busy or idle; others are unavailable. `down` and `unwell` are nodes."""

    nodes: int
    gpus: int
    busy: int
    idle: int
    unavailable: int
    down: int
    unwell: int
    watts: int


class DomainView(TypedDict):
    level: str
    name: str
    path: list[str]
    count: FleetCountView


class FleetNodeView(TypedDict):
    id: str
    row: int
    state: str
    check: str
    gpus: int
    busy: int
    gangs: list[str]


class FleetView(TypedDict):
    """A part of the site: what it counts, and the domains or the nodes that it is made of."""

    at: list[str]
    level: str
    count: FleetCountView
    domains: list[DomainView]
    nodes: list[FleetNodeView]
