"""Nodes: list, show, and what a person wants of one."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from gigawatt import clock
from gigawatt.model.change import Entity
from gigawatt.model.node import Node, NodeState
from gigawatt.model.tenant import Caller, Role
from gigawatt.model.upkeep import ChangeNode, RunChecks
from gigawatt.service.lookup import Filters, not_found
from gigawatt.service.permissions import sees, verb
from gigawatt.service.receipts import once
from gigawatt.service.services import Services, Terms
from gigawatt.service.views.nodes import NodeView, node_view
from gigawatt.service.views.text import PageView
from gigawatt.spec.requests import NodeCheckRequest, NodeStateRequest

STATES = tuple(state.value for state in NodeState)


@verb
async def page(caller: Caller, services: Services, filters: Filters) -> PageView[NodeView]:
    """Every node of the site, by the caller's own gangs on them."""
    asked = filters.query(caller, phases=STATES)
    query = replace(asked, tenant="", project="")  # nodes are nobody's
    found = await services.read(lambda: services.store.page(Node, query))
    gangs = _gangs(caller, services, found.items)
    views = [_may_read(caller, _view(services, node, gangs)) for node in found.items]
    return PageView(items=views, next=found.next)


@verb
async def show(caller: Caller, services: Services, id: str) -> NodeView:
    """One node, by id."""
    node = await _find(services, id)
    view = _view(services, node, _gangs(caller, services, (node,)))
    return _may_read(caller, view)


@verb
async def check(
    caller: Caller, services: Services, id: str, request: NodeCheckRequest, *, terms: Terms
) -> NodeView:
    """Have checks run on a node; what they say is on it once they have."""
    node = await _find(services, id)

    async def write() -> Entity:
        command = RunChecks(
            node=node.id,
            level=request.level,
            by=caller.name,
            if_version=terms.check(node.version),
        )
        return await services.leader.submit(command, receipt=terms.receipt(caller.tenant))

    after = await once(Node, services, terms, caller.tenant, write)
    return _view(services, after, _gangs(caller, services, (after,)))


@verb
async def set_state(
    caller: Caller, services: Services, id: str, request: NodeStateRequest, *, terms: Terms
) -> NodeView:
    """Open, cordon or drain a node, take it out for repair, or for good."""
    node = await _find(services, id)

    async def write() -> Entity:
        command = ChangeNode(
            node=node.id,
            state=NodeState(request.state),
            reason=request.reason,
            by=caller.name,
            by_ms=clock.now_ms() + 1_000 * request.within if request.within else 0,
            if_version=terms.check(node.version),
        )
        return await services.leader.submit(command, receipt=terms.receipt(caller.tenant))

    after = await once(Node, services, terms, caller.tenant, write)
    return _view(services, after, _gangs(caller, services, (after,)))


async def _find(services: Services, id: str) -> Node:
    node = await services.read(lambda: services.store.read(Node, id))
    if node is None:
        raise not_found("node", id)
    return node


def _view(services: Services, node: Node, gangs: Mapping[str, Sequence[str]]) -> NodeView:
    free = services.leader.free(node.id)
    return node_view(node, free=free, gangs=gangs.get(node.id, ()), now_ms=clock.now_ms())


def _may_read(caller: Caller, view: NodeView) -> NodeView:
    """Marks say what programs of others wrote last: that is for operators."""
    if caller.role is Role.OPERATOR:
        return view
    return replace(
        view, marks=tuple(replace(mark, gang="", attempt=0, detail="") for mark in view.marks)
    )


def _gangs(caller: Caller, services: Services, nodes: Iterable[Node]) -> dict[str, list[str]]:
    """Gangs that hold a share of each of these nodes, of those that the caller can see."""
    accounts = [services.leader.account(node.id) for node in nodes]
    return {
        account.id: [use.gang for use in account.uses if sees(caller, use.tenant, use.project)]
        for account in accounts
        if account is not None
    }
