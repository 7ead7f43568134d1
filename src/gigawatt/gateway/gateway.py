"""The running gateway: judges and answers requests, applies configurations, keeps deadlines, and drains."""

import asyncio
import contextlib
from collections.abc import Mapping

from gigawatt.gateway import errors, local
from gigawatt.gateway.access import authenticate, find_endpoint, may_call
from gigawatt.gateway.affinity import session_of
from gigawatt.gateway.call import Call, parse_call, renamed
from gigawatt.gateway.client import Answer, ClientConnection
from gigawatt.gateway.config import Config, EndpointConfig, KeyConfig
from gigawatt.gateway.desk import Desk
from gigawatt.gateway.endpoints import Endpoints
from gigawatt.gateway.errors import ErrorReply
from gigawatt.gateway.exchange import Exchange
from gigawatt.gateway.quotas import Quotas
from gigawatt.gateway.request import Request
from gigawatt.gateway.routes import Action, Route, find_route
from gigawatt.gateway.shared import Rows
from gigawatt.gateway.subjects import counted_names
from gigawatt.gateway.tally import Tally
from gigawatt.gateway.wiring import Wiring
from gigawatt.routing.split import point_of_count, point_of_name

NEEDS_KEY = frozenset({Action.CALL, Action.MODELS, Action.MODEL, Action.DESK})
BY_CALLERS = frozenset({Action.CALL, Action.DESK})
REQUEST_ID_BYTES_MAX = 128
FALLBACKS_MAX = 4  # from one endpoint to the next
DRAINING = errors.unavailable("draining", "The gateway is being restarted.")


class Gateway:
    """The Service of every client connection."""

    def __init__(self, id: str, wiring: Wiring, desk: Desk) -> None:
        self.id = id
        self._desk = desk
        self.config: Config | None = None
        self.endpoints = Endpoints(wiring)
        self.clients: set[ClientConnection] = set()
        self.draining = False
        self.busy = asyncio.Event()  # set when the first of them comes
        self.drained = asyncio.Event()  # draining, and no client is connected any more
        self.control_up = False
        self._wiring = wiring
        self.bodies_bytes = 0  # of large request bodies held now
        self._request_count = self._call_count = 0
        self._quotas = Quotas(wiring.shares)
        self._rows = Rows()

    def apply(self, config: Config, rows: Mapping[str, int] | None = None) -> None:
        """`rows` are those of the shared memory; None where there is none."""
        self.config = config
        shares = self._wiring.shares
        if rows is None:
            names, now_s = counted_names(config), self._wiring.monotonic_s()
            rows = self._rows.assign(names, now_s=now_s)
        shares.rows = rows
        self._quotas.apply(config)
        self.endpoints.apply(config.endpoints)

    def take(self, config: Config, body: bytes) -> None:
        """From the control plane."""
        self.apply(config)

    @property
    def tallies(self) -> Mapping[str, Tally]:
        return self.endpoints.tallies

    def forget_settled(self) -> None:
        self.endpoints.forget_settled()

    def spend(self, spent: Mapping[str, int]) -> None:
        """What holders of budgets have used this month, as far as is known."""
        self._quotas.spend(spent)

    def over_budget(self, key: KeyConfig, project: str) -> bool:
        """The key or the project has used its tokens of this month."""
        return self._quotas.spent_by(key, project)

    def connection(self) -> ClientConnection:
        return ClientConnection(self, self._wiring)

    # As a Service.

    def opened(self, client: ClientConnection) -> ErrorReply | None:
        self.clients.add(client)
        if len(self.clients) == 1:
            self.busy.set()
        if len(self.clients) <= self._wiring.limits.connections:
            return None
        limit = self._wiring.limits.connections
        return errors.unavailable("too_many_connections", f"{limit} connections are open already.")

    def closed(self, client: ClientConnection) -> None:
        self.clients.discard(client)
        if self.draining and not self.clients:
            self.drained.set()

    def admit(self, request: Request) -> ErrorReply | None:
        """Path, method, key and role; before the body is read, so that strangers cannot send one."""
        request.id = self._request_id(request)
        route = find_route(request.method, request.target)
        if isinstance(route, ErrorReply):
            return route
        request.route = route
        if route.action not in NEEDS_KEY:
            return None
        if self.draining:
            return DRAINING
        if self.config is None:
            return errors.unavailable(
                "no_configuration", "The gateway has no configuration from the control plane yet."
            )
        authorization = request.fields.get(b"authorization", b"")
        key = authenticate(self.config, authorization, now_ms=self._wiring.wall_ms())
        if isinstance(key, ErrorReply):
            return key
        request.key = key
        if route.action not in BY_CALLERS:
            return None
        return may_call(key) or _unreadable(request, route)

    def reserve(self, request: Request) -> ErrorReply | None:
        more = request.body_bytes - request.reserved_bytes
        if self.bodies_bytes + more > self._wiring.limits.bodies_bytes:
            return errors.unavailable(
                "out_of_memory", "The gateway holds as many request bodies as it may."
            )
        request.reserved_bytes += more
        self.bodies_bytes += more
        return None

    def release(self, request: Request) -> None:
        self.bodies_bytes -= request.reserved_bytes
        request.reserved_bytes = 0

    def answer(self, client: ClientConnection, request: Request) -> Answer | None:
        route = request.route
        assert route is not None
        if route.action is Action.CALL:
            return self._call(client, request, route)
        if route.action is Action.DESK:
            return self._desk.answer(client, request)
        reply = self._local(request, route)
        if isinstance(reply, ErrorReply):
            self.refused(request, reply)
            client.reply_error(reply)
            return None
        status, lines, body = reply
        client.reply(status, [client.date_line(), *lines], body)
        return None

    def refused(self, request: Request, error: ErrorReply) -> None:
        self._wiring.metrics.requests.add("", str(error.status))

    # Deadlines and the end.

    def sweep(self) -> None:
        """Look after everything that is due; called every `sweep_s`."""
        now_s = self._wiring.monotonic_s()
        for client in [client for client in self.clients if client.deadline_s <= now_s]:
            client.expire()
        for endpoint in self.endpoints.running.values():
            endpoint.keep_alive()
            endpoint.leave_slow_ones_alone()
            endpoint.drop_stale(keep=True)

    def drain(self) -> None:
        """Answer what is under way and take nothing new. Those in line are told to come again: nothing of theirs has begun."""
        self.draining = True
        for endpoint in self.endpoints.running.values():
            endpoint.turn_all_away(DRAINING)
        for client in list(self.clients):
            client.retire()
        if not self.clients:
            self.drained.set()

    def close(self) -> None:
        """End what is still under way."""
        for client in list(self.clients):
            client.give_up(DRAINING)
        for endpoint in self.endpoints.running.values():
            endpoint.drop_stale(keep=False)

    def _call(self, client: ClientConnection, request: Request, route: Route) -> Answer | None:
        config, key = self.config, request.key
        assert config is not None
        assert key is not None
        limit = self._wiring.limits.json_values
        call = parse_call(
            request.body,
            streams=route.streams,
            asks_usage=not route.states_usage,
            json_values_max=limit,
        )
        if isinstance(call, ErrorReply):
            return self._refuse(client, request, call)
        request.model = call.model
        found = self._endpoint_of(config, request, call)
        if isinstance(found, ErrorReply):
            return self._refuse(client, request, found)
        name = found.served_name
        if call.model != name and call.model not in found.names.adapters:
            call = renamed(call, name)
        project = f"{found.tenant}/{found.project}"
        now_s = self._wiring.monotonic_s()
        grant = self._quotas.admit(key, project, call.fields, request.body_bytes, now_s)
        if isinstance(grant, ErrorReply):
            return self._refuse(client, request, grant)
        request.grant = grant
        request.body = b""  # the call has it now
        endpoint = self.endpoints.running[found.id]
        exchange = Exchange(client, request, call, endpoint, self._wiring)
        exchange.start()
        return exchange

    def _endpoint_of(
        self, config: Config, request: Request, call: Call
    ) -> EndpointConfig | ErrorReply:
        """The endpoint that is to answer: of several by weight, a session always the same; or a fallback."""
        key = request.key
        assert key is not None
        session = session_of(call.fields, request.fields)
        self._call_count += 1
        point = point_of_name(session) if session else point_of_count(self._call_count)
        request.point = point
        found = find_endpoint(config, key, call.model, point=point)
        for _ in range(FALLBACKS_MAX):
            if isinstance(found, ErrorReply) or not found.names.fallback:
                break
            if self.endpoints.running[found.id].can_take:
                break
            other = find_endpoint(config, key, found.names.fallback, point=point)
            if isinstance(other, ErrorReply):
                break
            self._wiring.metrics.fallbacks.add(found.id)
            found = other
        return found

    def _refuse(self, client: ClientConnection, request: Request, error: ErrorReply) -> None:
        self.refused(request, error)
        client.reply_error(error)

    def _local(self, request: Request, route: Route) -> tuple[int, list[bytes], bytes] | ErrorReply:
        match route.action:
            case Action.OPTIONS:
                return 200, [b"allow: %b\r\n" % route.allow.encode()], b""
            case Action.HEALTH:
                return 200, [local.JSON], local.health_body(self.id)
            case Action.READY:
                return self._readiness()
            case Action.METRICS:
                return 200, [local.METRICS], self._metrics()
            case Action.MODELS | Action.MODEL:
                body = self._models(request.key, route)
                return body if isinstance(body, ErrorReply) else (200, [local.JSON], body)
            case Action.CALL | Action.DESK:
                raise AssertionError("they are not answered here")

    def _models(self, key: KeyConfig | None, route: Route) -> bytes | ErrorReply:
        assert self.config is not None
        assert key is not None
        if route.action is Action.MODELS:
            return local.models_body(self.config, key)
        return local.model_body(self.config, key, route.model)

    def _readiness(self) -> tuple[int, list[bytes], bytes] | ErrorReply:
        if self.config is None:
            return errors.unavailable("no_configuration", "No configuration has come yet.")
        if self.draining:
            return DRAINING
        body = local.ready_body(self.config, control_up=self.control_up)
        return 200, [local.JSON], body

    def _metrics(self) -> bytes:
        metrics = self._wiring.metrics
        self.endpoints.set_gauges()
        metrics.connections.set(value=len(self.clients))
        metrics.bodies_bytes.set(value=self.bodies_bytes)
        metrics.revision.set(value=self.config.revision if self.config else -1)
        metrics.control_up.set(value=int(self.control_up))
        return metrics.text()

    def _request_id(self, request: Request) -> bytes:
        """The client's own, if it sent one; else one of ours."""
        given = request.fields.get(b"x-request-id", b"")
        if 0 < len(given) <= REQUEST_ID_BYTES_MAX:
            return given
        self._request_count += 1
        return f"{self.id}-{self._request_count:x}".encode()


def _unreadable(request: Request, route: Route) -> ErrorReply | None:
    """What its head says of its body, if that cannot be read."""
    encoding = request.fields.get(b"content-encoding", b"identity")
    if encoding != b"identity":
        return errors.encoded(encoding)
    content_type = request.fields.get(b"content-type", b"application/json")
    plain = content_type.partition(b";")[0].strip().lower()
    is_json = plain in {b"application/json", b""} or plain.endswith(b"+json")
    return errors.not_json(content_type) if route.action is Action.CALL and not is_json else None


async def keep_deadlines(gateway: Gateway, *, every_s: float, idle_s: float) -> None:
    """While nobody is connected, less often: an idle gateway costs next to nothing."""
    while True:
        await asyncio.sleep(every_s)
        gateway.sweep()
        if not gateway.clients:
            gateway.busy.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(idle_s):
                    await gateway.busy.wait()
