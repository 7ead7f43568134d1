"""A gateway with real doubles around it, on an event loop in a thread, so that tests can be plain functions."""

import asyncio
import json
import socket
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar

import uvloop
from openai import AsyncOpenAI, OpenAI
from openai.types.chat import ChatCompletionMessageParam

from gigawatt.gateway.limits import Limits
from gigawatt.gateway.run import RunningGateway, start_gateway
from gigawatt.gateway.settings import Settings
from tests import waiting
from tests.contract.gateway.control_double import GATEWAY_TOKEN, ControlDouble
from tests.contract.gateway.replica_double import ReplicaDouble

T = TypeVar("T")

KEY = "sk-developer"
VIEWER_KEY = "sk-viewer"
EXPIRED_KEY = "sk-expired"
OTHER_KEY = "sk-other-tenant"
PATIENCE_S = 20.0

MESSAGES: list[ChatCompletionMessageParam] = [{"role": "user", "content": "count"}]
CHAT = "/v1/chat/completions"
ASK: dict[str, object] = {"model": "tiny-gpt", "messages": MESSAGES}


def key(token: str, tenant: str, role: str, **more: Any) -> dict[str, Any]:
    return {
        "sha256": sha256(token.encode()).hexdigest(),
        "tenant": tenant,
        "project": "",
        "id": f"key-{token}",
        "role": role,
        "expires_ms": 0,
        **more,
    }


KEYS = [
    key(KEY, "acme", "developer"),
    key(VIEWER_KEY, "acme", "viewer"),
    key(EXPIRED_KEY, "acme", "developer", expires_ms=1),
    key(OTHER_KEY, "other", "developer"),
]


def endpoint(*replicas: tuple[str, int], **more: Any) -> dict[str, Any]:
    """`replicas` are ids and ports, all ready."""
    return {
        "id": "endpoint-1",
        "tenant": "acme",
        "project": "acme/default",
        "name": "tiny",
        "served_name": "tiny-gpt",
        "concurrency": 8,
        "queue_max": 256,
        "queue_timeout_s": 30,
        "phase": "ready" if replicas else "zero",
        "message": "",
        "replicas": [
            {"id": name, "host": "127.0.0.1", "port": port, "ready": True}
            for name, port in replicas
        ],
        "starting": 0,
        "min": 0,
        "max": 2,
        **more,
    }


class Site:
    """`call` runs a coroutine on the site's loop and waits for it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._revision = 0
        self.keys = KEYS
        self._loop = uvloop.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._replicas: list[ReplicaDouble] = []
        self.control = self.call(self._make_control())
        self.gateway: RunningGateway | None = None
        self.token_file = directory / "token"
        self.token_file.write_text(GATEWAY_TOKEN)
        self.config_file = directory / "gateway" / "config.json"

    def call(self, work: Coroutine[Any, Any, T]) -> T:
        return self.begin(work).result(PATIENCE_S)

    def begin(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        """The same without waiting."""
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def set(self, gate: asyncio.Event) -> None:
        self._loop.call_soon_threadsafe(gate.set)

    def clear(self, gate: asyncio.Event) -> None:
        async def clear() -> None:
            gate.clear()

        self.call(clear())

    def replica(self, name: str = "replica-1") -> ReplicaDouble:
        """A started one."""

        return self.replica_at(0, name)

    def replica_at(self, port: int, name: str = "replica-1") -> ReplicaDouble:
        """One that listens on that port; 0 is any that is free."""

        async def make() -> ReplicaDouble:
            double = ReplicaDouble(name)
            await double.server.start(port)
            return double

        double = self.call(make())
        self._replicas.append(double)
        return double

    def document(self, *endpoints: dict[str, Any]) -> dict[str, Any]:
        """The next configuration."""
        self._revision += 1
        return {
            "revision": self._revision,
            "instance": "instance-1",
            "keys": self.keys,
            "endpoints": list(endpoints),
        }

    def publish(self, *endpoints: dict[str, Any]) -> None:
        """Tell the gateway, and wait until it knows."""
        document = self.document(*endpoints)
        self.call(self.control.publish(document))
        self.until(lambda: self.revision == document["revision"])

    def start(self, *endpoints: dict[str, Any], limits: Limits | None = None) -> None:
        """Start the gateway and let it have its first configuration."""
        self.start_alone(limits)
        self.publish(*endpoints)

    def start_alone(self, limits: Limits | None = None) -> None:
        settings = Settings(
            config_file=self.config_file,
            spool_dir=self.directory / "gateway" / "spool",
            api_url=f"http://127.0.0.1:{self.control.server.port}",
            token_file=self.token_file,
            host="127.0.0.1",
            port=0,
            limits=limits or Limits(sweep_s=0.05),
        )
        self.gateway = self.call(start_gateway(settings))

    def stop_gateway(self, within_s: float = 5.0) -> bool:
        assert self.gateway is not None
        gateway, self.gateway = self.gateway, None
        return self.call(gateway.stop(within_s=within_s))

    def close(self) -> None:
        if self.gateway is not None:
            self.stop_gateway(within_s=0.1)
        for replica in self._replicas:
            self.call(replica.server.stop())
        self.call(self.control.server.stop())
        self.call(self._loop.shutdown_default_executor())
        self.call(_until_closed())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    @property
    def running(self) -> RunningGateway:
        assert self.gateway is not None
        return self.gateway

    @property
    def running_spool(self) -> Path:
        return self.directory / "gateway" / "spool"

    @property
    def revision(self) -> int:
        config = self.running.gateway.config
        return config.revision if config else -1

    @property
    def port(self) -> int:
        return self.running.port

    def openai(self, api_key: str = KEY) -> OpenAI:
        return OpenAI(base_url=f"http://127.0.0.1:{self.port}/v1", api_key=api_key, max_retries=0)

    def async_openai(self, api_key: str = KEY) -> AsyncOpenAI:
        url = f"http://127.0.0.1:{self.port}/v1"
        return AsyncOpenAI(base_url=url, api_key=api_key, max_retries=0)

    def socket(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE_S)

    def queued(self) -> int:
        endpoints = self.running.gateway.endpoints.running.values()
        return sum(len(endpoint.line) for endpoint in endpoints)

    def in_flight(self) -> int:
        tallies = self.running.gateway.endpoints.tallies.values()
        return sum(tally.in_flight for tally in tallies)

    @staticmethod
    def until(condition: Callable[[], bool]) -> None:
        """Wait for the event."""
        waiting.until(condition, timeout_s=PATIENCE_S)

    @staticmethod
    def some(look: Callable[[], list[T]], count: int) -> list[T]:
        """What `look` finds, once it is as many."""

        def found() -> list[T] | None:
            there = look()
            return there if len(there) == count else None

        return waiting.until(found, timeout_s=PATIENCE_S)

    async def _make_control(self) -> ControlDouble:
        control = ControlDouble(self.document())
        await control.server.start()
        return control


async def _until_closed() -> None:
    """Transports that were aborted are closed in the turns that follow."""
    for _ in range(10):
        await asyncio.sleep(0)


def post(path: str, body: object, *, api_key: str = KEY, extra: str = "") -> bytes:
    """A request as bytes."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    head = (
        f"POST {path} HTTP/1.1\r\nhost: gateway\r\nauthorization: Bearer {api_key}\r\n"
        f"content-type: application/json\r\n{extra}content-length: {len(content)}\r\n\r\n"
    )
    return head.encode() + content


def get(path: str, *, api_key: str = KEY, method: str = "GET", extra: str = "") -> bytes:
    head = f"{method} {path} HTTP/1.1\r\nhost: gateway\r\nauthorization: Bearer {api_key}\r\n{extra}\r\n"
    return head.encode()
