"""How every project stands now: what it uses, what is guaranteed to it, and its share, as the line sees them."""

from dataclasses import dataclass

from gigawatt.scheduler.policy import Policy
from gigawatt.scheduler.share import Shares
from gigawatt.scheduler.snapshot import Snapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Amounts in the order of KINDS, with all projects below; UNSET where nothing is guaranteed. After those of KINDS
    `used` and `quota` have milli-GPUs of single `kinds` of GPU, where anybody may use so much of one.
    """

    id: str
    used: tuple[int, ...]
    quota: tuple[int, ...]
    average: tuple[int, ...]
    share: float
    kinds: tuple[str, ...] = ()


def owed(snapshot: Snapshot, policy: Policy) -> list[Standing]:
    """Of every tenant and project, by id. The snapshot must have its shares."""
    columns = snapshot.shares
    assert columns is not None, "asked of a snapshot without shares"
    shares = Shares(columns, snapshot, policy, [])
    return [
        Standing(
            id=name,
            used=tuple(shares.used[row]),
            quota=tuple(shares.quotas[row]),
            average=tuple(shares.averages[row]),
            share=shares.share(row),
            kinds=shares.vectors.kinds,
        )
        for row, name in enumerate(columns.ids)
    ]
