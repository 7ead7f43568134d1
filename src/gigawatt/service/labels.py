"""Lists by label and by who submitted: the store knows neither, so its pages are looked through."""

from dataclasses import replace
from typing import TypeVar

from gigawatt.model.array import JobArray
from gigawatt.model.job import Job
from gigawatt.model.notification import LabelTerm
from gigawatt.store.base import Page, Query, Store

Work = TypeVar("Work", Job, JobArray)

PAGES_MAX = 20  # of the store, that one page with labels is looked for in


def labelled(
    store: Store, kind: type[Work], query: Query, terms: tuple[LabelTerm, ...], *, user: str = ""
) -> Page[Work]:
    """A page of those with all of the labels that are asked for, and none that are ruled out, and of that user if one is
    named; from a bounded number of pages of the store.
    """
    found = list[Work]()
    page: Page[Work] = store.page(kind, query)
    for _ in range(PAGES_MAX):
        found += [work for work in page.items if _all_hold(terms, user, work)]
        left = query.limit - len(found)
        if not page.next or left <= 0:
            break
        page = store.page(kind, replace(query, cursor=page.next, limit=left))
    else:
        found += [work for work in page.items if _all_hold(terms, user, work)]
    return Page(items=tuple(found), next=page.next)


def _all_hold(terms: tuple[LabelTerm, ...], user: str, work: Work) -> bool:
    if user and work.submitted_by != user:
        return False
    labels = dict(work.spec.labels)
    return all(term.holds(labels) for term in terms)
