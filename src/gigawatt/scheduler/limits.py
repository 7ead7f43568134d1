"""Whether a gang is beyond what its project may ever use, whoever else uses what."""

from gigawatt.model.gang import Gang
from gigawatt.model.quota import UNSET
from gigawatt.model.reason import Reason, ReasonCode
from gigawatt.model.resources import KINDS
from gigawatt.scheduler.ask import ask_of
from gigawatt.scheduler.share import amounts
from gigawatt.scheduler.snapshot import NONE, ShareColumns


def beyond_limits(shares: ShareColumns | None, gang: Gang) -> Reason | None:
    """Why no amount of waiting would bring the gang within a limit above it; None where it may come to run.

    A project that does not borrow is held to its quota too.
    """
    if shares is None:
        return None
    ask = ask_of(gang)
    need = amounts(ask, ask.nodes_min)
    row = shares.row(f"{gang.tenant}/{gang.project}")
    while row != NONE:
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
        row = int(shares.parent_P[row])
    return None
