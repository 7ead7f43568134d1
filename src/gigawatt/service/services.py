"""What verbs work with, put together once by the composition root, and the terms that a caller attaches to a write."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from gigawatt.build.artifacts import ArtifactStore
from gigawatt.build.homes import Homes
from gigawatt.build.interpreters import Machine
from gigawatt.build.s3_trees import S3Trees
from gigawatt.build.secrets import SecretFiles
from gigawatt.engine.base import Engine
from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.model.retention import NO_POLICY, Retention
from gigawatt.service.accesses import Accesses
from gigawatt.service.audit_log import AuditLog
from gigawatt.service.authenticate import Keyring
from gigawatt.service.disk import Disk
from gigawatt.service.doors import Doors
from gigawatt.service.fleet_map import FleetMap
from gigawatt.service.key_sessions import KeySessions
from gigawatt.service.mail import MailServer
from gigawatt.service.ports import Leader, Premises, ReceiptRequest
from gigawatt.service.posture import Posture
from gigawatt.service.revocations import Revocations
from gigawatt.service.sign_in import SignIn
from gigawatt.service.webhooks import Webhooks
from gigawatt.store.base import Store

T = TypeVar("T")

IDEMPOTENCY_KEY_CHARS_MAX = 255
READERS_MAX = 4  # reads of the store at once; more of them wait
TWINS_MAX = 2  # scenarios that are played at once
BUCKET_READERS_MAX = 8  # listings and reads of buckets


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceFacts:
    """What this instance is, for `GET /v1/instance`."""

    api_url: str
    gateway_url: str
    store: str  # sqlite or postgresql
    handoff: str = ""  # the socket over which clients on this machine hand in open files
    issuer: str = "gigawatt"  # who sends invoices
    authority: str = (
        ""  # the file of certificates that the gateway is believed by; empty for the system's
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkspaceRules:
    """What this instance gives to workspaces and allows them. `homes` is None where nodes share no directory."""

    homes: Homes | None = None
    homes_shared: bool = False  # every node is said to see them, whatever else it sees
    url: str = ""  # of the proxy, as browsers have it
    jupyter: tuple[str, ...] = ("jupyterlab",)  # requirements that JupyterLab is built from
    idle_s: int = 3_600
    idle_max_s: int = 86_400
    lease_s: int = 43_200
    lease_max_s: int = 604_800  # 0 is without limit


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """A scenario that somebody had played, and what came of it under each policy."""

    id: str
    at_ms: int
    by: str
    text: str
    runs: list[dict[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Booth:
    """How many scenarios may be played at once, for how long each, and the last ones that were."""

    at_once: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(TWINS_MAX))
    seconds_max: int = 60  # of a processor
    played: OrderedDict[str, Played] = field(default_factory=OrderedDict[str, Played])


def _reader_threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(READERS_MAX, thread_name_prefix="store-read")


def _bucket_threads() -> ThreadPoolExecutor:
    """Their own: a storage that does not answer keeps nothing waiting but what asks for it."""
    return ThreadPoolExecutor(BUCKET_READERS_MAX, thread_name_prefix="bucket-read")


@dataclass(slots=True, kw_only=True)
class Services:
    """`closing` is set when the process ends: every stream then ends by itself."""

    store: Store
    leader: Leader
    engine: Engine
    artifacts: ArtifactStore
    secrets: SecretFiles
    buckets: S3Trees
    machine: Machine
    keyring: Keyring
    instance: InstanceFacts
    doors: Doors
    key_sessions: KeySessions
    premises: Premises
    disk: Disk
    workspaces: WorkspaceRules = field(default_factory=WorkspaceRules)
    retention: Retention = NO_POLICY  # where a project has no policy of its own
    grace_ms: int = (
        3_600_000  # files without a record are left alone for so long: someone may be sending them
    )
    work_dir: str = ""  # where the directories of gangs are; empty where they cannot be read here
    artifact_bytes_max: int = 64 << 30
    finishing: dict[str, "asyncio.Task[None]"] = field(
        default_factory=dict[str, "asyncio.Task[None]"]
    )  # uploads whose parts are put together, by tenant and digest
    webhooks: Webhooks = field(default_factory=Webhooks)
    mail: MailServer | None = None  # where the operator has named one
    volume_roots: tuple[str, ...] = ()  # below which path volumes may be
    accept_unisolated_tenants: bool = False
    project_bytes_max: int = 0  # that the volumes of a project may hold; 0 is without limit
    posture: Posture = field(default_factory=Posture)
    sign_in: SignIn | None = None  # where the operator has named providers
    audit: AuditLog = field(init=False)
    cycles: Path | None = None  # where recorded cycles are
    twin: Booth = field(default_factory=Booth)
    fleet: FleetMap = field(default_factory=FleetMap)
    accesses: Accesses = field(default_factory=Accesses)
    revocations: Revocations = field(default_factory=Revocations)
    glances: dict[tuple[Any, ...], tuple[int, object]] = field(
        default_factory=dict[tuple[Any, ...], tuple[int, object]]
    )  # what overviews have read of the ledger, and until when it is good
    closing: asyncio.Event = field(default_factory=asyncio.Event)
    pruning: asyncio.Lock = field(default_factory=asyncio.Lock)  # one plan is carried out at a time
    readers: ThreadPoolExecutor = field(default_factory=_reader_threads)
    bucket_readers: ThreadPoolExecutor = field(default_factory=_bucket_threads)

    def __post_init__(self) -> None:
        self.audit = AuditLog(put=self.leader.audited)

    async def read(self, call: Callable[[], T]) -> T:
        """What a blocking read of the store returns, without blocking the loop.

        Reads have threads of their own: however many wait for the database, commits do not wait behind them.
        """
        return await asyncio.get_running_loop().run_in_executor(self.readers, call)


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

    def check(self, version: int) -> int:
        """The version to insist on, 0 for any. Refuses if the caller has seen another than `version`."""
        if self.if_version is not None and self.if_version != version:
            raise RefusalError(
                RefusalCode.STALE_VERSION,
                f"it has version {version}, not {self.if_version}",
                field="If-Match",
                hint="read it again and decide again",
            )
        return self.if_version or 0
