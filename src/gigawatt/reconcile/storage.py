"""The open accounts of what is kept: bytes over time, each volume in whole mebibytes, rounded up."""

from gigawatt.ledger.account import SPLIT_MS_MAX
from gigawatt.model.bill import MeterEntry
from gigawatt.model.ledger import DAY_MS
from gigawatt.model.prices import Meter
from gigawatt.model.stored import StorageAccount
from gigawatt.model.values import replace
from gigawatt.model.volume import Volume, VolumeKind
from gigawatt.reconcile.turn import Turn

MIB_BITS = 20
SKU = "volume"


def measured(turn: Turn, volume: Volume) -> None:
    """A volume of ours holds another amount from now on. Paths of nodes and buckets are not our storage."""
    if volume.kind is not VolumeKind.MANAGED:
        return
    before = turn.world.storage.get(volume.id)
    if before is None:
        turn.put(
            StorageAccount(
                id=volume.id,
                tenant=volume.tenant,
                project=volume.project,
                sku=SKU,
                stored_bytes=volume.stored_bytes,
                opened_ms=turn.now_ms,
                accounted_to_ms=turn.now_ms,
            )
        )
    elif before.stored_bytes != volume.stored_bytes:
        turn.put(replace(settle(turn, before), stored_bytes=volume.stored_bytes))


def settle(turn: Turn, account: StorageAccount) -> StorageAccount:
    """Account for the time up to now, told apart by the day."""
    if turn.now_ms <= account.accounted_to_ms:
        return account
    turn.meters.extend(pending(account, now_ms=turn.now_ms))
    return turn.put(replace(account, accounted_to_ms=turn.now_ms))


def pending(account: StorageAccount, *, now_ms: int) -> list[MeterEntry]:
    """What is not accounted for yet."""
    mib = -(-account.stored_bytes >> MIB_BITS)
    entries: list[MeterEntry] = []
    from_ms = account.accounted_to_ms
    split = now_ms - from_ms <= SPLIT_MS_MAX
    while mib and from_ms < now_ms:
        to_ms = min((from_ms // DAY_MS + 1) * DAY_MS, now_ms) if split else now_ms
        entries.append(
            MeterEntry(
                at_ms=to_ms,
                meter=Meter.STORAGE.value,
                quantity=mib * (to_ms - from_ms),
                tenant=account.tenant,
                project=account.project,
                subject=account.id,
                sku=account.sku,
            )
        )
        from_ms = to_ms
    return entries


def shown(amount: int) -> str:
    """Bytes as people write them, to three digits."""
    for unit, size in (("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if abs(amount) >= size:
            return f"{amount / size:.3g} {unit}"
    return f"{amount} B"


def resume(turn: Turn) -> None:
    """After a restart: volumes from before there were accounts have one from now on."""
    for volume in tuple(turn.world.volumes.values()):
        if volume.id not in turn.world.storage and volume.deleted_ms is None:
            measured(turn, volume)
