"""The attempts of one node, and what may be asked about them. Requests name the verb; replies follow, some later."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cached_property
from typing import Any

from gigawatt.engine.supervisor import sweep, tree
from gigawatt.engine.supervisor.attempt import Attempt, Phase
from gigawatt.engine.supervisor.host import Host
from gigawatt.engine.supervisor.job import with_devices
from gigawatt.engine.supervisor.layout import Journal, write_whole
from gigawatt.engine.supervisor.loop import CLOCK, Timer
from gigawatt.engine.supervisor.rank import Rank
from gigawatt.engine.supervisor.record import Record
from gigawatt.engine.supervisor.spec import StageSpec, parse_stage
from gigawatt.engine.supervisor.staging import Prepared, prepare
from gigawatt.engine.supervisor.wire import Message, RequestError

TYPE_CHECKING = False  # what type checkers take for typing's
if TYPE_CHECKING:
    from gigawatt.engine.supervisor.checks import Checks

TAKES_GANGS = "ready"

Reply = Callable[[dict[str, Any] | RequestError], None]


class Node:
    """Owns the attempts of this node. `epoch` is the highest that was ever seen."""

    def __init__(
        self,
        host: Host,
        records: dict[str, Record],
        *,
        epoch: int,
        stage_s: float,
        devices: tuple[str, ...] | None = None,
    ) -> None:
        self.epoch = epoch
        self._stage_s = stage_s
        self._devices = devices  # that are given to us to share out; None leaves it as it was asked
        self._host = host
        self._records = records  # that went: run, or ended and not released
        self._attempts: dict[str, Attempt] = {}  # staged or with processes
        self._staging: dict[str, list[Reply]] = {}
        self._abandon: dict[str, Timer] = {}
        self._release_when_gone: set[str] = set()
        self._state = TAKES_GANGS
        self._why = ""
        self._on_idle: Callable[[], None] | None = None

    @cached_property
    def checks(self) -> Checks:
        """Made when they are first asked for, like all that most supervisors of one attempt never need."""
        from gigawatt.engine.supervisor.checks import Checks

        return Checks(self._host)

    def check_epoch(self, epoch: int) -> None:
        """Remember a higher epoch; refuse a lower one."""
        if epoch < self.epoch:
            raise RequestError(
                "stale-epoch", f"epoch {self.epoch} was seen, this is {epoch}", epoch=self.epoch
            )
        if epoch > self.epoch:
            self._host.layout.write_epoch(epoch)
            self.epoch = epoch
            self._state, self._why = TAKES_GANGS, ""  # a new leader says it anew

    def ping(self, message: Message) -> dict[str, Any]:
        """The leader says what time it is, unless it is of an earlier version."""
        wrong_ms = CLOCK.heed(int(message["now_ms"])) if "now_ms" in message else 0
        if wrong_ms:
            self._host.notes.note("the clock was wrong", by_ms=wrong_ms)
        return {}

    def inventory(self) -> dict[str, Any]:
        return {"attempts": [record.view() for record in self._records.values()]}

    def specs(self) -> list[StageSpec]:
        """Of all that is staged, runs, or is not released."""
        staged = [attempt.record.spec for attempt in self._attempts.values()]
        return [*staged, *(record.spec for record in self._records.values())]

    def set_state(self, message: Message) -> dict[str, Any]:
        self._state, self._why = str(message["state"]), str(message["reason"])
        return {}

    def stage(self, message: Message, reply: Reply) -> None:
        """Get everything ready to start, or find what is there already."""
        spec = parse_stage(message["spec"])
        if self._devices is not None:
            spec = with_devices(spec, self._devices)
        known = self._known(spec.key)
        if known is not None:
            reply(known)
            return
        if self._state != TAKES_GANGS:
            why = f"node {self._host.node} is {self._state}: {self._why}"
            raise RequestError("machine", why)
        if spec.key in self._staging:
            self._staging[spec.key].append(reply)
            return
        self._staging[spec.key] = [reply]
        if "checks" in self.__dict__:
            self.checks.give_way()
        secrets = {str(name): str(value) for name, value in message["secrets"].items()}
        prepare(self._host, spec, secrets, lambda result: self._prepared(spec, result))

    def go(self, message: Message, reply: Reply) -> None:
        """Start what was staged."""
        key = str(message["key"])
        attempt = self._attempts.get(key)
        if key in self._records:
            reply(self._known(key) or {})
            return
        if attempt is None:
            raise RequestError("machine", f"{key} was not staged here, or too long ago")

        def launched(reason: str) -> None:
            failure = attempt.record.newest("failure")
            code = "user" if failure and failure["user"] else "machine"
            reply(RequestError(code, reason) if reason else {"state": "going"})

        attempt.go(
            master_port=int(message["master_port"]),
            port=int(message["port"]),
            on_launched=launched,
            on_gone=lambda: self._gone(attempt),
        )
        self._abandon.pop(key).cancel()
        self._records[key] = attempt.record

    def abort(self, message: Message) -> dict[str, Any]:
        """Let go of what was staged; what has started is not touched."""
        key = str(message["key"])
        attempt = self._attempts.get(key)
        if attempt is not None and attempt.phase is Phase.STAGED:
            self._drop_staged(attempt)
        self._idle_if_so()
        return {}

    def stop(self, message: Message) -> dict[str, Any]:
        """`known` is false for what is not here, or has been released."""
        key = str(message["key"])
        attempt = self._attempts.get(key)
        if attempt is not None and attempt.phase is Phase.STAGED:
            self._drop_staged(attempt)
        elif attempt is not None:
            attempt.stop(float(message["grace_s"]))
        return {"known": key in self._records}

    def release(self, message: Message) -> dict[str, Any]:
        """Forget an attempt. One that still runs is ended first: its end is already on record."""
        key = str(message["key"])
        attempt = self._attempts.get(key)
        if attempt is not None and attempt.phase is not Phase.STAGED:
            self._release_when_gone.add(key)
            attempt.stop(0)
        elif key in self._records:
            del self._records[key]
            sweep.release(self._host, key)
        return {}

    def notify(self, message: Message) -> dict[str, Any]:
        """Ask ranks for a checkpoint."""
        attempt = self._running(str(message["key"]))
        path = attempt.prepared.directory / "report" / "checkpoint-requested"
        write_whole(path, str(int(message["by_ms"])).encode())
        return {}

    def live_rank(self, message: Message) -> tuple[Attempt, Rank]:
        """The rank that a message names, which runs here. Raises RequestError (unknown)."""
        attempt = self._running(str(message["key"]))
        rank = attempt.rank(int(message["rank"]))
        if rank is None:
            raise RequestError("unknown", f"rank {message['rank']} does not run here")
        return attempt, rank

    def probe(self, message: Message, reply: Reply) -> None:
        from gigawatt.engine.supervisor import probe

        attempt, rank = self.live_rank(message)
        report = attempt.prepared.directory / "report"
        probe.stacks(self._host.loop, rank.leader, report, lambda text: reply({"text": text}))

    def exec(self, message: Message, reply: Reply) -> None:
        from gigawatt.engine.supervisor import beside

        attempt, rank = self.live_rank(message)
        command = tuple(str(word) for word in message["command"])
        seconds = float(message.get("seconds", beside.SECONDS))
        beside.run(self._host, attempt, rank, beside.Order(command, seconds), reply)

    def stop_all(self, *, grace_s: float, on_idle: Callable[[], None]) -> None:
        """End everything; `on_idle` is called when nothing runs."""
        self._on_idle = on_idle
        if "checks" in self.__dict__:
            self.checks.stop()
        for attempt in tuple(self._attempts.values()):
            if attempt.phase is Phase.STAGED:
                self._drop_staged(attempt)
            else:
                attempt.stop(grace_s)
        self._idle_if_so()

    def end_when_idle(self, end: Callable[[], None]) -> None:
        """Call `end` whenever the last attempt here is over."""
        self._on_idle = end

    def end_if_idle(self) -> None:
        if not self._staging:
            self._idle_if_so()

    def others_run(self, key: str) -> bool:
        return any(
            attempt.key != key and attempt.phase is not Phase.STAGED
            for attempt in self._attempts.values()
        )

    def orphan_ended(self) -> None:
        for attempt in tuple(self._attempts.values()):
            attempt.orphan_ended()

    def _known(self, key: str) -> dict[str, Any] | None:
        """What to answer when a launch finds the attempt here already."""
        record = self._records.get(key)
        if record is not None:
            state = "ended" if record.gone else "going"
            return {"state": state, "view": record.view()}
        if key in self._attempts:
            return self._staged(self._attempts[key].prepared)
        if self._host.layout.was_released(key) and key not in self._staging:
            return {"state": "released"}
        return None

    def _prepared(self, spec: StageSpec, result: Prepared | RequestError) -> None:
        answer = result if isinstance(result, RequestError) else self._staged(result)
        if isinstance(result, RequestError):
            sweep.discard(self._host, spec.key)
        else:
            journal = Journal(result.directory / "journal")
            record = Record(spec, journal, self._host.notes)
            attempt = Attempt(self._host, result, record)
            self._attempts[spec.key] = attempt
            self._abandon[spec.key] = self._host.loop.later(
                self._stage_s, lambda: self._drop_staged(attempt)
            )
        for reply in self._staging.pop(spec.key):
            reply(answer)

    def _staged(self, prepared: Prepared) -> dict[str, Any]:
        return {
            "state": "staged",
            "master_port": prepared.master.number if prepared.master else 0,
            "port": prepared.replica.number if prepared.replica else 0,
        }

    def _drop_staged(self, attempt: Attempt) -> None:
        self._abandon.pop(attempt.key).cancel()
        del self._attempts[attempt.key]
        attempt.abandon()
        sweep.discard(self._host, attempt.key)
        self._idle_if_so()

    def _running(self, key: str) -> Attempt:
        attempt = self._attempts.get(key)
        if attempt is None or attempt.phase is Phase.STAGED:
            raise RequestError("unknown", f"{key} does not run here")
        return attempt

    def _gone(self, attempt: Attempt) -> None:
        del self._attempts[attempt.key]
        if attempt.key in self._release_when_gone:
            self._release_when_gone.discard(attempt.key)
            del self._records[attempt.key]
            sweep.release(self._host, attempt.key)
        self._idle_if_so()

    def _idle_if_so(self) -> None:
        if self._attempts:
            return
        strays = [pid for pid in tree.children(os.getpid()) if not self._host.loop.knows(pid)]
        tree.send(9, tree.descendants(strays))
        if self._on_idle is not None:
            self._on_idle()
