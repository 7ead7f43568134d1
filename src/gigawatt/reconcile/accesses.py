"""Who talked to what runs: nothing changes by it, and it stays on record as an event."""

from gigawatt.model.change import Entity
from gigawatt.model.command import NoteAccess
from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.reconcile.turn import Turn


def note(turn: Turn, asked: NoteAccess) -> Entity:
    """Raises RefusalError (conflict) where the gang has ended meanwhile."""
    owner = turn.world.jobs.get(asked.gang) or turn.world.replicas.get(asked.gang)
    if owner is None:
        raise RefusalError(RefusalCode.CONFLICT, f"{asked.gang} has ended")
    data = (("by", asked.by), ("rank", str(asked.rank)))
    turn.emit(f"rank.{asked.verb}", owner, f"{asked.by}: {asked.what}", data)
    return owner
