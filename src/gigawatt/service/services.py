"""What verbs work with, put together once by the composition root, and the terms that a caller attaches to a write."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from gigawatt.build.artifacts import ArtifactStore
from gigawatt.build.interpreters import Machine
from gigawatt.engine.base import Engine
from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.service.authenticate import Keyring
from gigawatt.service.ports import Leader, ReceiptRequest
from gigawatt.store.base import Store

T = TypeVar("T")

IDEMPOTENCY_KEY_CHARS_MAX = 255


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceFacts:
    """What this instance is, for `GET /v1/instance`."""

    api_url: str
    gateway_url: str
    store: str  # sqlite or postgresql


@dataclass(slots=True, kw_only=True)
class Services:
    """`closing` is set when the process ends: every stream then ends by itself."""

    store: Store
    leader: Leader
    engine: Engine
    artifacts: ArtifactStore
    machine: Machine
    keyring: Keyring
    instance: InstanceFacts
    artifact_bytes_max: int = 64 << 30
    closing: asyncio.Event = field(default_factory=asyncio.Event)

    async def read(self, call: Callable[[], T]) -> T:
        """What a blocking read of the store returns, without blocking the loop."""
        return await asyncio.to_thread(call)


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """How a write is asked for: at most once under `key`, and only if the object still has `if_version`."""

    key: str = ""
    request_sha256: str = ""
    if_version: int | None = None

    def receipt(self, tenant: str) -> ReceiptRequest | None:
        if not self.key:
            return None
        return ReceiptRequest(tenant=tenant, key=self.key, request_sha256=self.request_sha256)

    def check(self, version: int) -> None:
        """Refuse if the caller has seen another version than `version`."""
        if self.if_version is not None and self.if_version != version:
            raise RefusalError(
                RefusalCode.STALE_VERSION,
                f"it has version {version}, not {self.if_version}",
                field="If-Match",
                hint="read it again and decide again",
            )
