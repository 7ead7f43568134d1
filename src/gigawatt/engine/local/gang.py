"""What the engine knows of one attempt across its nodes, and what of it the leader may be told yet. Pure."""

from dataclasses import dataclass, field
from typing import Any

from gigawatt.engine.local.translate import observation
from gigawatt.model.launch import AttemptKey
from gigawatt.model.observation import AttemptGone, LaunchAccepted, Observation

ONCE = frozenset({"started", "exited"})  # kinds told once for each rank


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why a launch came to nothing."""

    reason: str
    node: str = ""
    user: bool = False


@dataclass(slots=True, kw_only=True)
class Gang:
    """Until the launch is known to be whole (`accepted`), what its ranks do is held back: it starts or fails as one."""

    key: AttemptKey
    nodes: tuple[str, ...]
    master_port: int = 0
    port: int = 0
    reference: str = ""  # what a batch system calls it
    accepted: bool = False
    failure: Failure | None = None
    gone_ms: dict[str, int] = field(default_factory=dict[str, int])  # by node with nothing left
    _missing: set[str] = field(default_factory=set[str])  # nodes that answered and have nothing
    _held: list[Observation] = field(default_factory=list[Observation])
    _told: set[tuple[str, int]] = field(default_factory=set[tuple[str, int]])
    _told_gone: bool = False

    @property
    def gone(self) -> bool:
        return all(node in self.gone_ms for node in self.nodes)

    @property
    def cut_short(self) -> bool:
        """Some of its nodes never started it."""
        return bool(self._missing)

    @property
    def gone_where_found(self) -> bool:
        return all(node in self.gone_ms for node in self.nodes if node not in self._missing)

    def found(self, node: str, view: dict[str, Any]) -> list[Observation]:
        """All that a node has of it, retold."""
        self.master_port = self.master_port or view["master_port"]
        self.port = self.port or view["port"]
        self.reference = self.reference or view.get("reference", "")
        self._missing.discard(node)
        return [seen for entry in view["entries"] for seen in self.take(node, entry)]

    def take(self, node: str, entry: dict[str, Any]) -> list[Observation]:
        """What a node's entry lets the leader be told."""
        kind = entry["kind"]
        if kind == "failure" and self.failure is None:
            self.failure = Failure(reason=entry["reason"], node=node, user=entry["user"])
        if kind == "gone":
            self.gone_ms[node] = entry["at_ms"]
        seen = observation(self.key, entry)
        if seen is not None and kind in ONCE:
            if (kind, entry["rank"]) in self._told:
                seen = None
            self._told.add((kind, entry["rank"]))
        if self.accepted:
            return [*([seen] if seen else []), *self._end()]
        if seen is not None:
            self._held.append(seen)
        return []

    def not_found(self, node: str, *, at_ms: int) -> list[Observation]:
        """The node has nothing of it: it never came there, or is forgotten."""
        if node not in self.gone_ms:
            self._missing.add(node)
        if self.accepted or self.failure is not None:
            self.gone_ms.setdefault(node, at_ms)
        return self._end() if self.accepted else []

    def accept(self, *, at_ms: int) -> list[Observation]:
        """The launch is whole: all that was held back can be told."""
        first = LaunchAccepted(
            at_ms=at_ms,
            key=self.key,
            master_port=self.master_port,
            port=self.port,
            reference=self.reference,
        )
        self.accepted = True
        held, self._held = self._held, []
        return [first, *held, *self._end()]

    def let_out(self, *, at_ms: int) -> list[Observation]:
        """There will be no launch: what was held back, and the end, can be told."""
        self.accepted = True
        for node in self._missing:
            self.gone_ms.setdefault(node, at_ms)
        held, self._held = self._held, []
        return [*held, *self._end()]

    def told_again(self) -> list[Observation]:
        """The end once more, for whoever asks to stop what has ended."""
        self._told_gone = False
        return self._end()

    def _end(self) -> list[Observation]:
        if not self.gone or self._told_gone:
            return []
        self._told_gone = True
        return [AttemptGone(at_ms=max(self.gone_ms.values()), key=self.key)]
