"""Lists that come page by page."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from gigawatt.sdk.views import Item, Page


def pages(page: "Callable[..., Page[Item]]", filters: Mapping[str, Any]) -> Iterator[Item]:
    """The items of every page, from the one that the filters begin with to the last."""
    cursor = str(filters.get("cursor") or "")
    while True:
        found = page(**{**filters, "cursor": cursor})
        yield from found["items"]
        cursor = found["next"]
        if not cursor:
            return


def whole(page: "Callable[..., Page[Item]]", filters: Mapping[str, Any]) -> Page[Item]:
    """All pages as one."""
    return {"items": list(pages(page, filters)), "next": ""}
