"""What is known of one attempt on this node: told to whoever asks, and read back after a crash."""

from __future__ import annotations

from typing import Any

from gigawatt.engine.supervisor.layout import Entry, Journal
from gigawatt.engine.supervisor.notes import Notes
from gigawatt.engine.supervisor.spec import StageSpec, parse_stage, spec_json

DURABLE = frozenset({"going", "started", "exited", "checkpoint", "failure", "gone"})


CHECKPOINT_AT = "checkpoint at "
CHECKPOINTS_RETOLD_MAX = 100  # to a control plane that was away


class Record:
    """The newest entry of each kind, and for each rank where it is a rank's."""

    def __init__(self, spec: StageSpec, journal: Journal, notes: Notes) -> None:
        self.spec = spec
        self._journal = journal
        self._notes = notes
        self._newest: dict[tuple[str, int | None], Entry] = {}

    def open(self, entry: Entry) -> None:
        """Write down that it is about to start. Raises OSError: then nothing must start."""
        self._journal.append({**entry, "spec": spec_json(self.spec)})
        self._keep(entry)

    def add(self, entry: Entry) -> None:
        """Keep an entry, on disk too if it must survive us."""
        self._keep(entry)
        if entry["kind"] not in DURABLE:
            return
        try:
            self._journal.append(entry)
        except OSError as error:
            self._notes.note("entry not on disk", key=self.spec.key, error=str(error))

    def newest(self, kind: str, rank: int | None = None) -> Entry | None:
        return self._newest.get((kind, rank))

    @property
    def gone(self) -> bool:
        return ("gone", None) in self._newest

    def view(self) -> dict[str, Any]:
        """For an inventory: entries in an order in which they can be applied."""
        going = self.newest("going") or {}
        return {
            "key": self.spec.key,
            "nodes": list(self.spec.nodes),
            "going": bool(going),
            "master_port": going.get("master_port", 0),
            "port": going.get("port", 0),
            "entries": [entry for entry in self._newest.values() if entry["kind"] != "going"],
        }

    def unfinished_ranks(self) -> list[int]:
        """Ranks that started, or may have, and of whose end nothing is on record."""
        return [each.rank for each in self.spec.ranks if not self.newest("exited", each.rank)]

    def _keep(self, entry: Entry) -> None:
        key = _key(entry)
        self._newest.pop(key, None)
        self._newest[key] = entry
        if entry["kind"] == "checkpoint":
            kept = [each for each in self._newest if each[0].startswith(CHECKPOINT_AT)]
            for each in kept[: max(len(kept) - CHECKPOINTS_RETOLD_MAX, 0)]:
                del self._newest[each]


def read_record(journal: Journal, notes: Notes) -> Record | None:
    """What a supervisor before us left on record; None if the attempt never came to start."""
    entries = journal.read()
    if not entries or entries[0].get("kind") != "going":
        return None
    opening = entries[0]
    record = Record(parse_stage(opening["spec"]), journal, notes)
    for entry in (opening, *entries[1:]):
        record._keep({name: value for name, value in entry.items() if name != "spec"})  # noqa: SLF001 - our own class
    return record


def _key(entry: Entry) -> tuple[str, int | None]:
    """What a later entry replaces: of a kind and a rank; checkpoints also by their path, so that each is retold."""
    kind = entry["kind"]
    if kind == "checkpoint":
        kind = f"{CHECKPOINT_AT}{entry['checkpoint']['path']}"
    return kind, entry.get("rank")
