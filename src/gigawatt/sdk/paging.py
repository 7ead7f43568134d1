"""Lists that come page by page."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Generic

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


class Listing(Iterator[Item], Generic[Item]):
    """Items one after the other, fetched page by page as they are asked for; in a notebook, a table of the first."""

    def __init__(self, page: "Callable[..., Page[Item]]", filters: Mapping[str, Any]) -> None:
        self._page = page
        self._filters = filters
        self._items = pages(page, filters)

    def __next__(self) -> Item:
        return next(self._items)

    def _repr_html_(self) -> str:
        from gigawatt.sdk.notebook import ROWS_SHOWN_MAX, listing_html

        found = self._page(**{"limit": ROWS_SHOWN_MAX, **self._filters})
        return listing_html(found["items"], more=bool(found["next"]))


def whole(page: "Callable[..., Page[Item]]", filters: Mapping[str, Any]) -> Page[Item]:
    """All pages as one."""
    return {"items": list(pages(page, filters)), "next": ""}
