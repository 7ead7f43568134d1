"""Whether a gang is beyond what its project may ever use, whoever else uses what."""

from collections.abc import Iterator

import numpy as np

from gigawatt.model.gang import Gang
from gigawatt.model.quota import UNSET
from gigawatt.model.reason import Reason, ReasonCode
from gigawatt.model.resources import KINDS
from gigawatt.scheduler.ask import Ask, ask_of
from gigawatt.scheduler.guarantees import filled
from gigawatt.scheduler.snapshot import GPU, NONE, KindColumns, ShareColumns, Snapshot


def beyond_limits(snapshot: Snapshot, gang: Gang) -> Reason | None:
    """Why no amount of waiting would bring the gang within a limit above it; None where it may come to run.

    A project that does not borrow is held to its quota too. Limits of kinds of GPU are in the way where each kind that it
    could be given has one.
    """
    shares = snapshot.shares
    if shares is None:
        return None
    ask = ask_of(gang)
    kinds = snapshot.kinds
    found = (
        None if kinds is None else _beyond_kinds(shares, kinds, ask, gang, snapshot.nodes.gpu_kinds)
    )
    if found is not None:
        return found
    need = [amount * ask.nodes_min for amount in ask.demand.vector()]
    for row in _chain(shares, gang):
        for kind, amount in enumerate(need):
            bounds = [(int(shares.limit_PK[row, kind]), ReasonCode.LIMIT, "limit")]
            if not shares.borrows_P[row]:
                quota = int(shares.quota_PK[row, kind])
                bounds.append((quota, ReasonCode.QUOTA_EXCEEDED, "quota"))
            for most, code, what in bounds:
                if most != UNSET and amount > most:
                    detail = f"it is more than all that the {what} of {shares.ids[row]} allows"
                    return Reason(
                        code=code, resource=KINDS[kind], need=amount, have=most, detail=detail
                    )
    return None


def _beyond_kinds(
    shares: ShareColumns, kinds: KindColumns, ask: Ask, gang: Gang, there: tuple[str, ...]
) -> Reason | None:
    """Why none of the kinds of GPU that it could be given would ever be within the limits; None where one would."""
    need = ask.demand.milli_gpu * ask.nodes_min
    first: Reason | None = None
    for kind in (ask.kinds or there) if need else ():
        found = _beyond_kind(shares, kinds, gang, kind, need)
        if found is None:
            return None
        first = first or found
    return first


def _beyond_kind(
    shares: ShareColumns, kinds: KindColumns, gang: Gang, kind: str, need: int
) -> Reason | None:
    if kind not in kinds.kinds:
        return None
    place = kinds.kinds.index(kind)
    quota_PW = filled(np.hstack([shares.quota_PK, kinds.quota_PB]))
    for row in _chain(shares, gang):
        bounds = [(int(kinds.limit_PB[row, place]), ReasonCode.LIMIT, "limit")]
        if not shares.borrows_P[row]:
            quota = int(quota_PW[row, len(KINDS) + place])
            bounds.append((quota, ReasonCode.QUOTA_EXCEEDED, "quota"))
        for most, code, what in bounds:
            if most != UNSET and need > most:
                detail = f"it is more {kind} than all that the {what} of {shares.ids[row]} allows"
                return Reason(code=code, resource=KINDS[GPU], need=need, have=most, detail=detail)
    return None


def _chain(shares: ShareColumns, gang: Gang) -> Iterator[int]:
    """The rows from the gang's project up."""
    row = shares.row(f"{gang.tenant}/{gang.project}")
    while row != NONE:
        yield row
        row = int(shares.parent_P[row])
