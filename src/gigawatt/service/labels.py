"""Lists by label: the store knows none, so its pages are looked through."""

from dataclasses import replace
from typing import TypeVar

from gigawatt.model.array import JobArray
from gigawatt.model.job import Job
from gigawatt.store.base import Page, Query, Store

Work = TypeVar("Work", Job, JobArray)

PAGES_MAX = 20  # of the store, that one page with labels is looked for in


def labelled(
    store: Store, kind: type[Work], query: Query, labels: tuple[tuple[str, str], ...]
) -> Page[Work]:
    """A page of those that have all of the labels, from a bounded number of pages of the store."""
    wanted, found = set(labels), list[Work]()
    page: Page[Work] = store.page(kind, query)
    for _ in range(PAGES_MAX):
        found += [work for work in page.items if wanted <= set(work.spec.labels)]
        left = query.limit - len(found)
        if not page.next or left <= 0:
            break
        page = store.page(kind, replace(query, cursor=page.next, limit=left))
    else:
        found += [work for work in page.items if wanted <= set(work.spec.labels)]
    return Page(items=tuple(found), next=page.next)
