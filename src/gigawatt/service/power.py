"""The power tree: feeds, their caps, and what gangs draw."""

import re
from dataclasses import replace

from gigawatt.model.order import RemoveFeed, SetFeed
from gigawatt.model.power import Feed
from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.model.tenant import Caller
from gigawatt.service.lookup import Filters, not_found
from gigawatt.service.permissions import verb
from gigawatt.service.services import Services, Terms
from gigawatt.service.views.power import FeedView, feed_view
from gigawatt.service.views.text import PageView
from gigawatt.spec.names import NAME_HINT, NAME_PATTERN
from gigawatt.spec.power import FeedRequest
from gigawatt.spec.units import shown

ACTIVE = ("active",)


@verb
async def page(caller: Caller, services: Services, filters: Filters) -> PageView[FeedView]:
    """Every feed of the site, with what is drawn through it."""
    asked = filters.query(caller)
    query = replace(asked, tenant="", project="", phases=ACTIVE)  # feeds are nobody's
    found = await services.read(lambda: services.store.page(Feed, query))
    drawn = services.leader.drawn()
    views = [feed_view(each, drawn.get(each.id, 0)) for each in found.items]
    return PageView(items=views, next=found.next)


@verb
async def show(caller: Caller, services: Services, name: str) -> FeedView:
    """One feed. Raises RefusalError."""
    found = await _find(services, name)
    if found is None:
        raise not_found("feed", name)
    return _view(services, found)


@verb
async def change(
    caller: Caller, services: Services, name: str, request: FeedRequest, *, terms: Terms
) -> FeedView:
    """Make a feed, or change what is named of it. Raises RefusalError."""
    if not re.fullmatch(NAME_PATTERN, name):
        detail = f"{shown(name)} is not a name of a feed"
        raise RefusalError(RefusalCode.INVALID, detail, field="feed", hint=NAME_HINT)
    found = await _find(services, name)
    parent, cap, supplies = request.changed(found)
    command = SetFeed(
        name=name,
        parent=parent,
        cap_milliwatts=cap,
        supplies=supplies,
        by=caller.name,
        if_version=terms.check(found.version) if found else 0,
    )
    after = await services.leader.submit(command, receipt=terms.receipt(caller.tenant))
    assert isinstance(after, Feed)
    return _view(services, after)


@verb
async def remove(caller: Caller, services: Services, name: str, *, terms: Terms) -> FeedView:
    """Take a feed out of the tree. Raises RefusalError."""
    found = await _find(services, name)
    if found is None:
        raise not_found("feed", name)
    version = terms.check(found.version)
    command = RemoveFeed(name=name, by=caller.name, if_version=version)
    after = await services.leader.submit(command, receipt=terms.receipt(caller.tenant))
    assert isinstance(after, Feed)
    return _view(services, after)


async def _find(services: Services, name: str) -> Feed | None:
    found = await services.read(lambda: services.store.read(Feed, name))
    return found if found is not None and found.deleted_ms is None else None


def _view(services: Services, feed: Feed) -> FeedView:
    return feed_view(feed, services.leader.drawn().get(feed.id, 0))
