"""One request to a model, from its arrival to the end of its reply: wait, choose a replica, send, pass on, retry once."""

import asyncio
import logging
from enum import StrEnum

from gigawatt.gateway import errors, head
from gigawatt.gateway.affinity import affinity_of
from gigawatt.gateway.billing import meter, settle
from gigawatt.gateway.call import Call
from gigawatt.gateway.client import NEVER_S, ClientConnection
from gigawatt.gateway.endpoints import Endpoint
from gigawatt.gateway.errors import ErrorReply
from gigawatt.gateway.meter import NO_USAGE
from gigawatt.gateway.relay import ERROR_FROM, Relay
from gigawatt.gateway.replica import Backend, ReplicaConnection, ReplyHead
from gigawatt.gateway.request import Request, urgency_of
from gigawatt.gateway.routes import origin_form
from gigawatt.gateway.usage import Usage
from gigawatt.gateway.waiting import Wait, end_in_stream, tell
from gigawatt.gateway.wiring import Wiring

CLIENT_LEFT = "499"

log = logging.getLogger(__name__)


class Phase(StrEnum):
    NEW = "new"
    WAITING = "waiting"  # in line
    CONNECTING = "connecting"  # it has a replica, and no connection to it yet
    SENT = "sent"
    REPLYING = "replying"
    ENDED = "ended"


NEXT_PHASES: dict[Phase, frozenset[Phase]] = {
    Phase.NEW: frozenset({Phase.WAITING, Phase.CONNECTING, Phase.SENT, Phase.ENDED}),
    Phase.WAITING: frozenset({Phase.CONNECTING, Phase.SENT, Phase.ENDED}),
    Phase.CONNECTING: frozenset({Phase.SENT, Phase.CONNECTING, Phase.WAITING, Phase.ENDED}),
    Phase.SENT: frozenset(
        {Phase.REPLYING, Phase.SENT, Phase.CONNECTING, Phase.WAITING, Phase.ENDED}
    ),
    Phase.REPLYING: frozenset({Phase.SENT, Phase.CONNECTING, Phase.WAITING, Phase.ENDED}),
    Phase.ENDED: frozenset(),
}
HAS_REPLICA = frozenset({Phase.CONNECTING, Phase.SENT, Phase.REPLYING})


class Exchange:
    """An Answer to its client, a Waiter in its endpoint's line, and the ReplySink of its replica's connection."""

    __slots__ = (
        "_backend",
        "_body",
        "_client",
        "_connecting",
        "_connection",
        "_endpoint",
        "_phase",
        "_relay",
        "_replica",
        "_request",
        "_retried",
        "_strip_usage",
        "_wait",
        "_wiring",
        "affinity",
        "avoid",
        "point",
        "urgency",
    )

    def __init__(
        self,
        client: ClientConnection,
        request: Request,
        call: Call,
        endpoint: Endpoint,
        wiring: Wiring,
    ) -> None:
        self.avoid: Backend | None = None  # the replica that has failed it
        self._client = client
        self._request = request
        self._body = call.body
        self._strip_usage = call.usage_added
        self._endpoint = endpoint
        self.affinity = affinity_of(endpoint.config.routing, call.fields, request.fields)
        self.urgency = urgency_of(request.fields)
        self.point = request.point
        self._wiring = wiring
        self._phase = Phase.NEW
        self._backend: Backend | None = None
        self._connection: ReplicaConnection | None = None
        self._connecting: asyncio.Task[ReplicaConnection] | None = None
        self._relay: Relay | None = None
        self._replica = ""  # the last one it was given
        self._retried = False
        self._wait = Wait(streams=call.stream)

    def start(self) -> None:
        endpoint = self._endpoint
        endpoint.touch()
        backend = None if endpoint.someone_waits else endpoint.pick(self.affinity, point=self.point)
        if backend is not None:
            self._send_to(backend)
            return
        expected_s = endpoint.expected_wait_s(len(endpoint.line) + 1)
        refusal = endpoint.refusal() or endpoint.too_late(expected_s)
        if refusal is not None:
            self._fail(refusal)
            return
        position = endpoint.join(self)
        if position is None:
            self._fail(endpoint.full())
            return
        self._wait.position, self._wait.expected_s = position, expected_s
        self._line_up()
        if position == 1:
            self._wiring.report_demand()

    # As a Waiter, and as an Answer.

    @property
    def prompt_tokens(self) -> int:
        return len(self._body) // 4  # bytes of English text, about

    def turn_away(self, error: ErrorReply) -> None:
        self._fail(error)

    def assign(self, backend: Backend) -> None:
        self._stop_waiting()
        self._client.deadline_s = NEVER_S
        self._send_to(backend)

    def keep_alive(self, position: int, now_s: float) -> None:
        """A stream is begun when it has waited a while: comments tell of the line, which clients pass over."""
        if not self._wait.streams or now_s - self._wait.told_s < self._wiring.limits.keep_alive_s:
            return
        self._wait.told_s = now_s
        expected_s = self._endpoint.expected_wait_s(position)
        tell(self._client, self._own_lines(), position=position, expected_s=expected_s)

    def cancel(self) -> None:
        if self._phase is Phase.ENDED:
            return
        relay = self._relay
        self._leave()
        self._count(CLIENT_LEFT)
        if relay is not None:
            self._meter(relay.usage, relay.status)
        settle(self._wiring, self._request, None if relay is not None else NO_USAGE)

    def expire(self) -> None:
        model = self._endpoint.config.served_name
        match self._phase:
            case Phase.WAITING:
                self._stop_waiting()
                ready = len(self._endpoint.backends)
                self._fail(errors.queue_timeout(model, waited_s=self._wait.waited_s, ready=ready))
            case Phase.SENT | Phase.REPLYING:
                limits, sent = self._wiring.limits, self._phase is Phase.SENT
                limit_s = limits.first_byte_s if sent else limits.between_bytes_s
                detail = f"sent nothing for {limit_s:g} s"
                self._note_failure("timeout", detail)
                self._fail(errors.upstream_timeout(f"The replica of `{model}` {detail}."))
            case _:
                pass  # connecting has a time-out of its own

    def pause(self) -> None:
        if self._connection is not None:
            self._connection.pause()

    def resume(self) -> None:
        self._await_bytes()
        if self._connection is not None:
            self._connection.resume()

    # As a ReplySink.

    def reply_head(self, reply: ReplyHead) -> None:
        self._move(Phase.REPLYING)
        if self._client.stalled and self._connection is not None:
            self._connection.pause()
        self._relay = Relay(self._client, reply, self._own_lines(), self._wiring.limits)
        self._relay.open(strip_usage=self._strip_usage)
        if self._relay.passes:  # so it cannot be sent again
            self._body = b""
            self._client.drop_body()
        self._wait.first_s = self._wiring.monotonic_s()
        seconds = self._wait.first_s - self._request.started_s
        self._wiring.metrics.first_byte_s.observe(self._endpoint.config.id, seconds)
        self._endpoint.tally.began(seconds)
        self._await_bytes()

    def reply_body(self, data: bytes) -> None:
        assert self._relay is not None
        self._await_bytes()
        self._relay.body(data)

    def reply_end(self) -> None:
        relay = self._relay
        assert relay is not None
        self._connection = None
        if relay.cut_short:
            self.reply_lost("died", "it hung up in the middle of its reply")
            return
        self._note_reply(relay.status)
        self._leave()
        self._count(str(relay.status))
        usage = relay.final_usage()
        if relay.status < ERROR_FROM:
            self._wait.answered(self._endpoint.tally, usage, now_s=self._wiring.monotonic_s())
        self._meter(usage, relay.status, whole=True)  # first: it may be our last act
        relay.end()

    def reply_lost(self, kind: str, detail: str) -> None:
        connection, self._connection = self._connection, None
        if self._phase is Phase.SENT and connection is not None and connection.reused:
            # It may have hung up as idle just when it was needed again, which says nothing about the replica.
            assert self._backend is not None
            self._connect_to(self._backend)
            return
        self._note_failure(kind, detail)
        self._try_another(detail)

    # From one step to the next.

    def _line_up(self) -> None:
        self._move(Phase.WAITING)
        self._endpoint.count_line()
        self._wiring.metrics.queue_waits.add(self._endpoint.config.id)
        self._wait.joined_s = self._wait.told_s = self._wiring.monotonic_s()
        self._client.deadline_s = self._wait.joined_s + self._endpoint.config.queue_timeout_s

    def _stop_waiting(self) -> None:
        waited_s = self._wiring.monotonic_s() - self._wait.joined_s
        self._wait.waited_s += waited_s
        self._wiring.metrics.queue_wait_s.observe(self._endpoint.config.id, waited_s)

    def _send_to(self, backend: Backend) -> None:
        self._backend = backend
        self._replica = backend.id
        self._wait.sent_s = self._wiring.monotonic_s()
        self._endpoint.occupy(backend, self.affinity)
        connection = backend.lease()
        if connection is None:
            self._connect_to(backend)
        else:
            self._transmit(backend, connection)

    def _connect_to(self, backend: Backend) -> None:
        self._move(Phase.CONNECTING)
        self._client.deadline_s = NEVER_S
        self._connecting = self._wiring.loop.create_task(backend.connect())
        self._connecting.add_done_callback(self._connected)

    def _connected(self, task: asyncio.Task[ReplicaConnection]) -> None:
        if task is not self._connecting or task.cancelled():
            if not task.cancelled() and task.exception() is None:
                task.result().abort()  # nobody needs it any more
            return
        self._connecting = None
        error = task.exception()
        if error is None:
            assert self._backend is not None
            self._transmit(self._backend, task.result())
        else:  # OSError; or ValueError where its host is no host
            self._note_failure("refused", str(error))
            self._try_another("it does not accept connections")

    def _transmit(self, backend: Backend, connection: ReplicaConnection) -> None:
        self._move(Phase.SENT)
        self._connection = connection
        message_head = head.request_head(
            origin_form(self._request.target),
            self._request.headers,
            host=backend.host,
            request_id=self._request.id,
            length=len(self._body),
        )
        connection.send(self, message_head + self._body)
        self._client.deadline_s = self._wiring.monotonic_s() + self._wiring.limits.first_byte_s

    def _try_another(self, detail: str) -> None:
        """The replica has failed the request: once, and as long as the client has seen nothing, ask another one."""
        endpoint, backend = self._endpoint, self._backend
        assert backend is not None
        passed = self._relay is not None and self._relay.passes
        if passed or self._retried or not endpoint.has_other_than(backend):
            model = endpoint.config.served_name
            self._fail(errors.upstream_failed(f"The replica of `{model}` failed: {detail}."))
            return
        self._retried = True
        self._relay = None
        self.avoid = backend
        self._wiring.metrics.retries.add(endpoint.config.id)
        self._give_back()
        other = endpoint.pick(self.affinity, avoid=backend, point=self.point)
        if other is not None:
            self._send_to(other)
        else:
            endpoint.line.rejoin(self, self.urgency)
            self._wait.position = self._wait.position or 1
            self._line_up()
        endpoint.dispatch()

    def _fail(self, error: ErrorReply) -> None:
        """End it with an error, however far it has come."""
        relay = self._relay
        self._leave()
        if relay is not None and relay.passes:
            self._count(str(relay.status))
            self._meter(relay.usage, relay.status)
            relay.died(error)
        elif self._client.begun:  # by what was said while it waited
            self._count(str(error.status))
            settle(self._wiring, self._request, NO_USAGE)
            end_in_stream(self._client, error)
        else:
            self._count(str(error.status))
            settle(self._wiring, self._request, NO_USAGE)
            self._client.reply_error(error, self._own_lines())

    def _leave(self) -> None:
        """Out of the line, away from the replica; whoever is next may go."""
        before = self._phase
        self._move(Phase.ENDED)
        if before is Phase.WAITING:
            self._endpoint.line.leave(self)
            self._endpoint.touch()
        if before in HAS_REPLICA:
            self._give_back()
        self._endpoint.dispatch()

    def _give_back(self) -> None:
        connecting, self._connecting = self._connecting, None
        if connecting is not None:
            connecting.cancel()
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.abort()
        backend, self._backend = self._backend, None
        assert backend is not None
        self._endpoint.release(backend)

    def _await_bytes(self) -> None:
        if self._phase is Phase.REPLYING:
            limit_s = self._wiring.limits.between_bytes_s
            self._client.deadline_s = self._wiring.monotonic_s() + limit_s

    def _own_lines(self) -> list[bytes]:
        grant = self._request.grant
        lines: list[bytes] = list(grant.lines) if grant is not None else []
        if self._replica:
            lines.append(b"x-gigawatt-replica: %b\r\n" % self._replica.encode())
        return [*lines, *self._wait.lines()]

    def _count(self, status: str) -> None:
        endpoint_id = self._endpoint.config.id
        metrics = self._wiring.metrics
        metrics.requests.add(endpoint_id, status)
        metrics.request_s.observe(endpoint_id, self._wiring.monotonic_s() - self._request.started_s)

    def _note_reply(self, status: int) -> None:
        if self._backend is not None:
            ttft_s = self._wait.first_s - self._wait.sent_s
            self._endpoint.answered(self._backend, status, ttft_s)

    def _note_failure(self, kind: str, detail: str) -> None:
        """The replica has failed this request. `detail` may name addresses, which are not for clients."""
        endpoint_id = self._endpoint.config.id
        self._wiring.metrics.upstream_errors.add(endpoint_id, kind)
        log.warning(
            "a replica has failed a request",
            extra={
                "endpoint": endpoint_id,
                "replica": self._replica,
                "kind": kind,
                "detail": detail,
                "request": self._request.id.decode("latin-1"),
            },
        )
        if self._backend is not None:
            self._endpoint.failed(self._backend, at_fault=kind != "timeout")

    def _meter(self, usage: Usage | None, status: int, *, whole: bool = False) -> None:
        meter(self._wiring, self._endpoint, self._request, usage, status=status, whole=whole)

    def _move(self, phase: Phase) -> None:
        assert phase in NEXT_PHASES[self._phase], f"{self._phase} -> {phase}"
        self._phase = phase
