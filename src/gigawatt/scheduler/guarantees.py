"""What is guaranteed to whom: quotas of projects, and of projects without one what those below them have together.

    P  tenants and projects
    W  kinds of resource, and after them kinds of GPU (B)

GPUs are guaranteed of any kind, by single kinds, or both: then each holds. Who has a quota of some kinds, and none of
GPUs as such, has one of 0 of all other kinds.
"""

import numpy as np

from gigawatt.model.quota import UNSET
from gigawatt.model.resources import KINDS
from gigawatt.scheduler.snapshot import GPU, Amounts, Codes, Flags
from gigawatt.scheduler.tree import down_from

B = slice(len(KINDS), None)


def filled(quota_PW: Amounts) -> Amounts:
    """The quotas with 0 of all other kinds where some are named, and no amount of any kind."""
    whole_PW = quota_PW.copy()
    none_PB = (quota_PW[:, B] == UNSET) & _by_kind(quota_PW)[:, np.newaxis]
    whole_PW[:, B][none_PB] = 0
    return whole_PW


def effective(quota_PW: Amounts, levels: list[Codes], parents: list[int]) -> Amounts:
    """Of `filled` quotas each row's own; where it has none, what its children have together.

    Where one of these has GPUs of any kind, it is so many of any kind for all of them.
    """
    whole_PW = quota_PW.copy()
    kinds_P = (quota_PW[:, B] != UNSET).any(axis=1)
    open_PW = quota_PW == UNSET
    open_PW[:, GPU] &= ~kinds_P
    open_PW[:, B] = open_PW[:, GPU, np.newaxis]
    for at, above in down_from(levels, parents):
        part_PW = whole_PW[at]
        only_P = _by_kind(part_PW)
        part_PW[~only_P, B] = UNSET
        sums_PW, given_PW = np.zeros_like(whole_PW), np.zeros_like(whole_PW, dtype=np.bool_)
        np.add.at(sums_PW, above, np.where(part_PW != UNSET, part_PW, 0))
        np.logical_or.at(given_PW, above, part_PW != UNSET)
        any_P = given_PW[:, GPU]
        of_kinds_P = np.zeros(len(whole_PW), dtype=np.int64)
        np.add.at(of_kinds_P, above, np.where(only_P, part_PW[:, B].clip(0).sum(axis=1), 0))
        sums_PW[:, GPU] += np.where(any_P, of_kinds_P, 0)
        given_PW[any_P, B] = False
        whole_PW = np.where(open_PW & given_PW, sums_PW, whole_PW)
    return whole_PW


def gpus(quota_PW: Amounts) -> Amounts:
    """Over P: the GPUs that are guaranteed, of any kind or of all kinds together; 0 without."""
    by_kind_P = quota_PW[:, B].clip(0).sum(axis=1)
    return np.where(_by_kind(quota_PW), by_kind_P, np.maximum(quota_PW[:, GPU], 0))


def beyond(used: list[int], quota: list[int]) -> list[int]:
    """What is used beyond a quota, by kind of resource: of GPUs the more of what is beyond all, and what is beyond kinds."""
    kinds = len(KINDS)
    found = [u - max(q, 0) for u, q in zip(used[:kinds], quota[:kinds], strict=True)]
    told = [max(u - q, 0) for u, q in zip(used[kinds:], quota[kinds:], strict=True) if q != UNSET]
    if told:
        found[GPU] = sum(told) if quota[GPU] == UNSET else max(found[GPU], sum(told))
    return found


def _by_kind(quota_PW: Amounts) -> Flags:
    """Over P: whether GPUs are guaranteed by kind alone."""
    return (quota_PW[:, GPU] == UNSET) & (quota_PW[:, B] != UNSET).any(axis=1)
