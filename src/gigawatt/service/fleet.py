"""The fleet map: where nodes are, what is on them, and parts of that in words. A caller sees every node, and names of its own."""

from collections.abc import Sequence

import numpy as np

from gigawatt import clock
from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.model.tenant import Caller
from gigawatt.service.fleet_counts import Counts
from gigawatt.service.fleet_layout import LEVELS, Layout
from gigawatt.service.fleet_map import REST_S_MAX, FleetMap, state_file, viewer_of
from gigawatt.service.fleet_state import (
    CHECKS,
    PHASES,
    STATES,
    SUSPICION_UNIT,
    FleetState,
    Held,
    name_of,
)
from gigawatt.service.fleet_wire import Packed
from gigawatt.service.lookup import not_found
from gigawatt.service.permissions import sees, verb
from gigawatt.service.services import Services
from gigawatt.service.views.fleet import (
    DomainView,
    FleetNodeView,
    FleetView,
    GangSpotView,
    PlacesView,
    SpotView,
)
from gigawatt.spec.units import shown

FILES_MAX = 32  # kept, for as many kinds of viewers
REST = 10  # it is looked at anew after so many times what that took, or REST_S_MAX
ROWS_MAX = 20_000  # of one gang, that are told


@verb
async def layout(caller: Caller, services: Services) -> Packed:
    """Where nodes are: the file does not change while no node comes or goes."""
    fleet = services.fleet
    async with fleet.turn:
        await _taken(fleet, services)
        return await services.read(lambda: fleet.state.layout.packed)


@verb
async def state(caller: Caller, services: Services) -> Packed:
    """What is on nodes, and how they are."""
    fleet, viewer = services.fleet, viewer_of(caller)
    async with fleet.turn:
        await _taken(fleet, services)
        revision, kept = fleet.files.get(viewer, (-1, None))
        if kept is None or revision != fleet.state.revision:
            kept = await services.read(lambda: state_file(fleet.state, caller))
            fleet.files[viewer] = fleet.state.revision, kept
        fleet.files.move_to_end(viewer)
        if len(fleet.files) > FILES_MAX:
            fleet.files.popitem(last=False)
        return kept


@verb
async def show(caller: Caller, services: Services, at: Sequence[str] = ()) -> FleetView:
    """A part of the site by the names of its domains, from the site down: its counts, and what it is made of."""
    fleet = services.fleet
    async with fleet.turn:
        await _taken(fleet, services)
        return await services.read(lambda: _part(fleet, caller, tuple(at)))


@verb
async def spot(caller: Caller, services: Services, row: int, *, layout: str = "") -> SpotView:
    """A node by its row under a version of the layout. Raises RefusalError (stale-version, not-found)."""
    fleet = services.fleet
    async with fleet.turn:
        await _taken(fleet, services)
        _check(fleet.state.layout, layout)
        if row >= len(fleet.state.nodes):
            raise not_found("node", str(row))
        return _spot(fleet.state, caller, row)


@verb
async def places(caller: Caller, services: Services, what: str) -> PlacesView:
    """Where a node is, or a gang that the caller can see: by id, or by the name of a job, endpoint or workspace."""
    fleet = services.fleet
    async with fleet.turn:
        await _taken(fleet, services)
        state = fleet.state
        row = state.layout.rows.get(what)
        if row is not None:
            return _places(state.layout, "node", what, what, (row,))
        found = [each for each in state.find(what) if _sees(caller, each)]
    if not found:
        raise RefusalError(
            RefusalCode.NOT_FOUND,
            f"no node is called {shown(what)}, and nothing of that name holds any",
            field="what",
            hint="`gw nodes` and `gw jobs` list what there is",
        )
    rows = tuple(np.unique(np.concatenate([each.rows for each in found])).tolist())
    work = found[0].work
    return _places(state.layout, "gang", work.id, name_of(work), rows)


async def _taken(fleet: FleetMap, services: Services) -> None:
    """Brought up to date, unless that was done a moment ago."""
    began_s = clock.monotonic_s()
    if began_s - fleet.taken_s < min(REST * fleet.took_s, REST_S_MAX):
        return
    now = services.leader.fleet()
    await services.read(lambda: fleet.state.take(now, now_ms=clock.now_ms()))
    fleet.taken_s = clock.monotonic_s()
    fleet.took_s = fleet.taken_s - began_s


def _check(layout: Layout, version: str) -> None:
    if version and version != layout.version:
        raise RefusalError(
            RefusalCode.STALE_VERSION,
            "nodes have come or gone since that layout",
            field="layout",
            hint="read /v1/fleet/layout again",
        )


def _sees(caller: Caller, held: Held) -> bool:
    return sees(caller, held.work.tenant, held.work.project)


def _places(layout: Layout, kind: str, id: str, name: str, rows: tuple[int, ...]) -> PlacesView:
    counts = {
        level: len(np.unique(np.searchsorted(layout.starts[place], rows, side="right")))
        for place, level in enumerate(LEVELS)
    }
    return PlacesView(
        kind=kind,
        id=id,
        name=name,
        layout=layout.version,
        rows=rows[:ROWS_MAX],
        racks=counts["rack"],
        leaves=counts["leaf"],
        spines=counts["spine"],
    )


def _spot(state: FleetState, caller: Caller, row: int) -> SpotView:
    node, gangs = state.nodes[row], state.devices_on(row)
    worst = CHECKS[int(state.check_N[row])]
    told = [each.detail for each in node.checks if each.outcome.value == worst and each.detail]
    mine = [each for each in gangs if _sees(caller, each[0])]
    return SpotView(
        row=row,
        id=node.id,
        path=state.layout.path(row),
        state=node.state.value,
        reason=node.reason,
        check=worst,
        detail=told[0] if told else "",
        suspicion=int(state.suspicion_N[row]) * SUSPICION_UNIT / 1_000,
        kind=node.gpu_kind,
        gpus=int(state.layout.gpus_N[row]),
        watts=state.power(row) // 1_000,
        degrees=int(state.heat_N[row]),
        gangs=tuple(_gang(held, bits) for held, bits in mine),
        others=len(gangs) - len(mine),
    )


def _gang(held: Held, bits: int) -> GangSpotView:
    work = held.work
    return GangSpotView(
        id=work.id,
        name=name_of(work),
        kind=work.gang().kind.value,
        tenant=work.tenant,
        project=work.project,
        phase=PHASES[held.phase],
        nodes=len(held.nodes),
        devices=tuple(place for place in range(bits.bit_length()) if bits >> place & 1),
    )


def _part(fleet: FleetMap, caller: Caller, at: tuple[str, ...]) -> FleetView:
    state, layout = fleet.state, fleet.state.layout
    level, first, end = -1, 0, len(layout.ids)
    for name in at:
        level, first, end = _within(layout, level, name, first=first, end=end)
    counted = _counts(fleet)
    below = _next_level(layout, level, first, end)
    domains = tuple(
        DomainView(
            level=LEVELS[below],
            name=name,
            path=(*at, name),
            count=counted.of(*layout.span(below, index)),
        )
        for index, name in _domains(layout, below, first, end)
    )
    return FleetView(
        at=at,
        level=LEVELS[level] if level >= 0 else "",
        count=counted.of(first, end),
        domains=domains,
        nodes=tuple(_node(state, caller, row) for row in range(first, end)) if not domains else (),
    )


def _within(layout: Layout, level: int, name: str, *, first: int, end: int) -> tuple[int, int, int]:
    """The level and rows of the domain of that name below a part."""
    below = _next_level(layout, level, first, end)
    for index, known in _domains(layout, below, first, end):
        if known == name:
            return below, *layout.span(below, index)
    where = f"no {LEVELS[below]}" if below < len(LEVELS) else "nothing"
    raise RefusalError(
        RefusalCode.NOT_FOUND, f"there is {where} called {shown(name)} there", field="at"
    )


def _next_level(layout: Layout, level: int, first: int, end: int) -> int:
    """The next level at which the part has domains with names."""
    below = level + 1
    while below < len(LEVELS) and not any(name for _, name in _domains(layout, below, first, end)):
        below += 1
    return below


def _domains(layout: Layout, level: int, first: int, end: int) -> list[tuple[int, str]]:
    """Domains of a level that begin within these rows, with their names."""
    if level >= len(LEVELS):
        return []
    low, high = np.searchsorted(layout.starts[level], (first, end)).tolist()
    return [(index, layout.names[level][index]) for index in range(low, high)]


def _counts(fleet: FleetMap) -> Counts:
    if fleet.counts is None or fleet.counts.revision != fleet.state.revision:
        fleet.counts = Counts(fleet.state)
    return fleet.counts


def _node(state: FleetState, caller: Caller, row: int) -> FleetNodeView:
    gpus = int(state.layout.gpus_N[row])
    return FleetNodeView(
        id=state.layout.ids[row],
        row=row,
        state=STATES[int(state.state_N[row])],
        check=CHECKS[int(state.check_N[row])],
        gpus=gpus,
        busy=int(state.bits_N[row]).bit_count() if gpus else 0,
        gangs=tuple(each.work.id for each in state.on(row) if _sees(caller, each)),
    )
