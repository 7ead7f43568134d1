"""Endpoints as they run: replicas with their load, the line in front of them, and how a new configuration changes both."""

from dataclasses import replace

from gigawatt.gateway.access import GONE
from gigawatt.gateway.affinity import Affinity
from gigawatt.gateway.config import EndpointConfig, ReplicaConfig, RevisionConfig
from gigawatt.gateway.errors import (
    ErrorReply,
    endpoint_deleted,
    endpoint_failed,
    queue_full,
    shed,
    starts_too_late,
)
from gigawatt.gateway.line import Line
from gigawatt.gateway.replica import Backend
from gigawatt.gateway.revision_tally import FAULT_FROM
from gigawatt.gateway.subjects import line_row
from gigawatt.gateway.tally import Tally
from gigawatt.gateway.waiter import Waiter
from gigawatt.gateway.wiring import Wiring
from gigawatt.model.endpoint import EndpointPhase
from gigawatt.routing.outliers import TIMES_MIN, pause_s, ramped, slow_ones
from gigawatt.routing.pick import by_name, least_in_flight, longest_prefix
from gigawatt.routing.prefix import PrefixIndex
from gigawatt.routing.split import in_turn

SPARE_PERCENT = 75  # of a replica's places, at most, are for work that has time
WANTED_S = 10.0  # that a replica is asked for by it
LOOK_AGAIN_S = 0.005  # while somebody waits and other workers may make room


class Endpoint:
    """One endpoint of the configuration, running."""

    __slots__ = (
        "_all",
        "_hoped_until_s",
        "_looking_again",
        "_seen",
        "_unlike_until_s",
        "_waiting",
        "_wiring",
        "backends",
        "config",
        "line",
        "tally",
    )

    def __init__(self, config: EndpointConfig, tally: Tally, wiring: Wiring) -> None:
        self.config = config
        self.tally = tally
        self.line: Line[Waiter] = Line(config.queue_max)
        self.backends: list[Backend] = []  # the ready ones, by id
        self._all: dict[ReplicaConfig, Backend] = {}  # by everything but readiness
        self._seen = PrefixIndex()
        self._hoped_until_s = 0.0  # while one who was sent away may come back for a replica
        self._unlike_until_s = 0.0  # until then replicas are not all alike: one is shunned, or new
        self._wiring = wiring
        self._waiting = wiring.shares.of(line_row(config.id))
        self._looking_again = False
        self._set_replicas(config.replicas)

    def pick(
        self, affinity: Affinity | None, avoid: Backend | None = None, *, point: float = 0.0
    ) -> Backend | None:
        """A ready replica with room, other than `avoid`, of the revision that `point` falls to."""
        candidates = self.backends
        if avoid is not None:
            candidates = [backend for backend in candidates if backend is not avoid]
        if not self.config.revisions:
            return self._among(candidates, affinity, self.config.concurrency)
        for revision, those in self._by_revision(candidates, point):
            found = self._among(those, affinity, revision.concurrency)
            if found is not None:
                return found
        return None

    @property
    def can_take(self) -> bool:
        """A request would be answered by it, at once or after waiting in its line."""
        if self.refusal() is not None or self._waiting.in_flight >= self.config.queue_max:
            return self.pick(None) is not None
        return bool(self.backends) or self.config.phase != EndpointPhase.FAILED

    @property
    def someone_waits(self) -> bool:
        """Here or at another worker: then nobody who comes now goes first."""
        return self._waiting.in_flight > 0

    def join(self, waiter: Waiter) -> int | None:
        """Its position in this worker's line, from 1; None when there is no more room at all workers together."""
        elsewhere = self._waiting.in_flight - len(self.line)
        self.line.limit = self.config.queue_max - elsewhere
        position = self.line.join(waiter, waiter.urgency)
        if position is None and (gives_way := self.line.displace(waiter.urgency)) is not None:
            self._wiring.metrics.shed.add(self.config.id)
            gives_way.turn_away(shed(self.config.served_name))
            self.count_line()
            position = self.line.join(waiter, waiter.urgency)
        return position

    def count_line(self) -> None:
        """The line is longer or shorter: tell, and look for room that other workers make."""
        self.note_line()
        self._waiting.set(len(self.line))
        if self.line and not self._looking_again and self._wiring.shares.table.workers > 1:
            self._looking_again = True
            self._wiring.loop.call_later(LOOK_AGAIN_S, self._look_again)

    def answered(self, backend: Backend, status: int, ttft_s: float) -> None:
        """A replica that answers is well, unless what it says is that it is not."""
        self.tally.revision(backend.config.generation).answered(status, ttft_s)
        if backend.shunned_until_s <= self._wiring.monotonic_s():
            backend.times_s.append(ttft_s)
        if status >= FAULT_FROM:
            self.shun(backend)
        elif backend.failures:
            backend.failures = 0
            backend.since_s = self._wiring.monotonic_s()

    def failed(self, backend: Backend, *, at_fault: bool) -> None:
        """It has not answered a request, or not to the end."""
        self.tally.revision(backend.config.generation).failed()
        if at_fault:
            self.shun(backend)

    def shun(self, backend: Backend) -> None:
        """A dead one would otherwise be the least loaded, and get all requests."""
        limits = self._wiring.limits
        backend.failures += 1
        rest_s = pause_s(backend.failures, first_s=limits.shun_s, most_s=limits.shun_s_max)
        self._leave_alone(backend, rest_s)
        self._wiring.metrics.ejections.add(self.config.id)

    def leave_slow_ones_alone(self) -> None:
        """For a while, those that answer far more slowly than the others do; then they are measured anew."""
        limits, now_s = self._wiring.limits, self._wiring.monotonic_s()
        there = {backend.id: backend for backend in self.backends}
        alone = [each.id for each in self.backends if each.slow and each.shunned_until_s > now_s]
        for name in slow_ones({each: one.times_s for each, one in there.items()}, alone):
            backend = there[name]
            backend.slow += 1
            self._leave_alone(
                backend, pause_s(backend.slow, first_s=limits.slow_s, most_s=limits.slow_s_max)
            )
            self._wiring.metrics.slow.add(self.config.id)
        for backend in self.backends:
            if (
                backend.slow
                and backend.shunned_until_s <= now_s
                and len(backend.times_s) >= TIMES_MIN
            ):
                backend.slow = 0  # it has come back, and kept up

    def has_other_than(self, backend: Backend) -> bool:
        return any(other is not backend for other in self.backends)

    def refusal(self) -> ErrorReply | None:
        """Why nobody should wait here; None where waiting makes sense."""
        config = self.config
        if config.phase in GONE:
            return endpoint_deleted(config.served_name)
        if config.phase == EndpointPhase.FAILED and not self.backends:
            return endpoint_failed(config.served_name, config.message)
        return None

    def full(self) -> ErrorReply:
        """There is no more room in line."""
        config = self.config
        ready = len(self.backends)
        return queue_full(config.served_name, limit=config.queue_max, ready=ready)

    def expected_wait_s(self, position: int) -> float | None:
        """How long one at that place in line has to wait, from how long a start and requests took; None: not known."""
        config = self.config
        rounds = (position - 1) // (config.concurrency * max(len(self.backends), 1))
        busy_s = (rounds + bool(self.backends)) * self.tally.mean_s
        if self.backends:
            return busy_s if self.tally.mean_s else None
        if not config.start_ms:
            return None
        passed_ms = self._wiring.wall_ms() - config.starting_ms if config.starting_ms else 0
        return max(config.start_ms - passed_ms, 0) / 1000 + busy_s

    def too_late(self, expected_s: float | None) -> ErrorReply | None:
        """Why one who would wait that long for a start should not. The start is wanted all the same: it will be back."""
        limit_s, model = self.config.queue_timeout_s, self.config.served_name
        if expected_s is None or expected_s <= limit_s or self.backends:
            return None
        self._hoped_until_s = self._wiring.monotonic_s() + expected_s + limit_s
        self.note_line()
        self._wiring.report_demand()
        return starts_too_late(model, expected_s=expected_s, deadline_s=limit_s)

    def note_line(self) -> None:
        """How many are in line: who was sent away until there is a replica counts as one."""
        hoped_for = self._wiring.monotonic_s() < self._hoped_until_s
        self.tally.queued = max(len(self.line), int(hoped_for))

    def keep_alive(self) -> None:
        """Look after the line: tell those in it who can be told, and count what they ask for."""
        now_s = self._wiring.monotonic_s()
        self.note_line()
        self.tally.backlog_tokens = sum(each.prompt_tokens for each in self.line)
        for position, waiter in enumerate(self.line, start=1):
            waiter.keep_alive(position, now_s)

    def occupy(self, backend: Backend, affinity: Affinity | None) -> None:
        if affinity is not None and affinity.blocks:
            self._seen.note(affinity.blocks, backend.id)
        backend.share.enter()
        self.tally.in_flight += 1
        self.tally.busy(backend.id, self._wiring.monotonic_s).begin()

    def release(self, backend: Backend) -> None:
        backend.share.leave()
        self.tally.in_flight -= 1
        self.tally.busy(backend.id, self._wiring.monotonic_s).end()
        self.touch()

    def touch(self) -> None:
        """A request is here now: the quiet time begins anew."""
        self.tally.last_request_ms = self._wiring.wall_ms()

    # For work that has time, with what is left.

    def spare(self) -> Backend | None:
        """A replica with more places than anybody wants now: none while one waits, and some are left free."""
        if self.someone_waits or self.refusal() is not None:
            return None
        candidates, concurrency = self.backends, self.config.concurrency
        if self.config.revisions:
            main = max(self.config.revisions, key=lambda each: each.weight)
            candidates = [b for b in candidates if b.config.generation == main.generation]
            concurrency = main.concurrency
        most = max(concurrency * SPARE_PERCENT // 100, 1)
        return self._among(candidates, None, most)

    def want(self) -> None:
        """There is work for a replica; where there is none, one is asked for."""
        if self.backends:
            return
        hoped_s, now_s = self._hoped_until_s, self._wiring.monotonic_s()
        self._hoped_until_s = max(hoped_s, now_s + WANTED_S)
        self.touch()
        self.note_line()
        if hoped_s <= now_s:
            self._wiring.report_demand()

    def occupy_spare(self, backend: Backend) -> None:
        """As `occupy`, but nothing is to be scaled by it."""
        backend.share.enter()
        self.tally.busy(backend.id, self._wiring.monotonic_s).begin()

    def release_spare(self, backend: Backend) -> None:
        backend.share.leave()
        self.tally.busy(backend.id, self._wiring.monotonic_s).end()
        self.touch()
        self.dispatch()

    def dispatch(self) -> None:
        """Give replicas with room to those in line, in order."""
        while (waiter := self.line.first()) is not None:
            backend = self.pick(waiter.affinity, waiter.avoid, point=waiter.point)
            if backend is None:
                break
            self.line.take()
            waiter.assign(backend)
        self.count_line()

    def update(self, config: EndpointConfig) -> None:
        self.config = config
        self._set_replicas(config.replicas)
        refusal = self.refusal()
        if refusal is not None:
            self.turn_all_away(refusal)
        self.dispatch()

    def remove(self) -> None:
        """The endpoint is no more; replies under way go on as long as their replicas do."""
        self._set_replicas(())
        self.turn_all_away(endpoint_deleted(self.config.served_name))
        self._waiting.detach()

    def turn_all_away(self, error: ErrorReply) -> None:
        for waiter in self.line.empty():
            waiter.turn_away(error)
        self.count_line()

    def forget_replicas(self) -> None:
        """Let go of what was counted of replicas that are gone, once it is reported."""
        self.tally.forget_replicas({backend.id for backend in self._all.values()})

    def drop_stale(self, *, keep: bool) -> None:
        for backend in self._all.values():
            backend.drop_stale(keep=keep)

    def _leave_alone(self, backend: Backend, rest_s: float) -> None:
        """It is given nothing for so long, unless there is no other, and then a part that grows."""
        until_s = self._wiring.monotonic_s() + rest_s
        backend.times_s.clear()
        backend.shunned_until_s = until_s
        backend.since_s = max(backend.since_s, until_s)
        slow_start_s = self._wiring.limits.slow_start_s
        self._unlike_until_s = max(self._unlike_until_s, until_s + slow_start_s)

    def _among(
        self, candidates: list[Backend], affinity: Affinity | None, concurrency: int
    ) -> Backend | None:
        now_s = self._wiring.monotonic_s()
        if now_s < self._unlike_until_s:
            candidates = self._fit(candidates, concurrency, now_s)
        if affinity is None:
            return least_in_flight(candidates, concurrency=concurrency)
        if not affinity.blocks:
            return by_name(candidates, affinity.name, concurrency=concurrency)
        matched = self._seen.matches(affinity.blocks)
        return longest_prefix(candidates, matched, name=affinity.name, concurrency=concurrency)

    def _by_revision(
        self, candidates: list[Backend], point: float
    ) -> list[tuple[RevisionConfig, list[Backend]]]:
        """Revisions that have any of the candidates, in the order in which they are to be asked."""
        there: list[tuple[RevisionConfig, list[Backend]]] = []
        for revision in self.config.revisions:
            those = [each for each in candidates if each.config.generation == revision.generation]
            if those:
                there.append((revision, those))
        if not there:
            return there
        return [there[n] for n in in_turn([each.weight for each, _ in there], point)]

    def _begins(self, backend: Backend) -> None:
        """A replica beside others that have been there before starts slowly; the first ones need not."""
        now_s = self._wiring.monotonic_s()
        if self.backends:
            backend.since_s = now_s
            self._unlike_until_s = now_s + self._wiring.limits.slow_start_s

    def _fit(self, candidates: list[Backend], concurrency: int, now_s: float) -> list[Backend]:
        """Those that are trusted, and whose start, if it is new, lets them have more; all of them, if there is none."""
        ramp_s = self._wiring.limits.slow_start_s
        trusted = [backend for backend in candidates if backend.shunned_until_s <= now_s]
        settled = [
            backend
            for backend in trusted
            if backend.in_flight
            < ramped(concurrency, since_s=now_s - backend.since_s, ramp_s=ramp_s)
        ]
        return settled or trusted or candidates

    def _look_again(self) -> None:
        self._looking_again = False
        self.dispatch()

    def _set_replicas(self, replicas: tuple[ReplicaConfig, ...]) -> None:
        before, self._all = self._all, {}
        for replica in replicas:
            at = replace(replica, ready=True)
            backend = before.pop(at, None) or Backend(at, self._wiring)
            if replica.ready and not backend.ready:
                self._begins(backend)
            backend.ready = replica.ready
            self._all[at] = backend
        for backend in before.values():
            backend.ready = False
            backend.share.detach()
        for backend in (*before.values(), *self._all.values()):
            backend.drop_stale(keep=backend.ready)
        self.backends = [backend for backend in self._all.values() if backend.ready]
        self._seen.keep(backend.id for backend in self._all.values())


class Endpoints:
    """All of them, by id, and the tallies of those that are gone until the last of it is reported."""

    def __init__(self, wiring: Wiring) -> None:
        self._wiring = wiring
        self.running: dict[str, Endpoint] = {}
        self.tallies: dict[str, Tally] = {}

    def apply(self, configs: tuple[EndpointConfig, ...]) -> None:
        """Make what runs as `configs` say; requests under way and in line keep their places."""
        removed = self.running.keys() - {config.id for config in configs}
        for endpoint_id in sorted(removed):
            self.running.pop(endpoint_id).remove()
        for config in configs:
            endpoint = self.running.get(config.id)
            if endpoint is None:
                tally = self.tallies.setdefault(config.id, Tally(config.id))
                self.running[config.id] = Endpoint(config, tally, self._wiring)
            else:
                endpoint.update(config)
        self.forget_settled()

    def forget_settled(self) -> None:
        """Let go of tallies, and of what they count of replicas, that have nothing more to tell."""
        for endpoint in self.running.values():
            endpoint.forget_replicas()
        gone = self.tallies.keys() - self.running.keys()
        for endpoint_id in sorted(gone):
            if self.tallies[endpoint_id].settled:
                del self.tallies[endpoint_id]
                self._wiring.metrics.forget(endpoint_id)

    def waiting(self) -> list[Endpoint]:
        return [endpoint for endpoint in self.running.values() if endpoint.line]

    def set_gauges(self) -> None:
        metrics = self._wiring.metrics
        for endpoint_id, endpoint in self.running.items():
            metrics.in_flight.set(endpoint_id, value=endpoint.tally.in_flight)
            metrics.queued.set(endpoint_id, value=len(endpoint.line))
            metrics.replicas.set(endpoint_id, value=len(endpoint.backends))
