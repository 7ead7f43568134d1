"""A whole instance in this process: a real store, leader and API over the model of machines."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import httpx2
from fastapi import FastAPI

from gigawatt import clock
from gigawatt.api.app import create_app
from gigawatt.build.artifacts import ArtifactStore
from gigawatt.build.environments import EnvironmentBuilder
from gigawatt.build.homes import Homes
from gigawatt.build.interpreters import Interpreter, Machine
from gigawatt.build.remote import Remote
from gigawatt.build.s3_trees import S3Trees
from gigawatt.build.secrets import SecretFiles
from gigawatt.build.wrapping import held_keys
from gigawatt.control.actuator import Actuator
from gigawatt.control.archive import StoreArchive
from gigawatt.control.courier import Courier
from gigawatt.control.front import Front
from gigawatt.control.leader import Config, Leader
from gigawatt.control.premises import LocalPremises
from gigawatt.model.action import BuildEnvironment, DeleteEnvironment, RemoveHome, StoreModel
from gigawatt.model.command import CreateKey
from gigawatt.model.environment import EnvironmentKind
from gigawatt.model.launch import AttemptKey
from gigawatt.model.observation import (
    EnvironmentBuilt,
    EnvironmentDeleted,
    EnvironmentFailed,
    HomeRemoved,
    ModelStored,
)
from gigawatt.model.tenant import DEFAULT_TENANT, Role
from gigawatt.reconcile.pressure import Marks
from gigawatt.reconcile.turn import Site as LoopSite
from gigawatt.scheduler.policy import Policy
from gigawatt.service.authenticate import Keyring
from gigawatt.service.disk import Disk
from gigawatt.service.doors import Doors
from gigawatt.service.key_sessions import KeySessions
from gigawatt.service.networks import parse_networks
from gigawatt.service.services import InstanceFacts, Services, WorkspaceRules
from gigawatt.service.tokens import KEY_BYTES, Owner, RankTokens, new_key
from gigawatt.service.webhooks import Webhooks
from gigawatt.store import open_store
from gigawatt.store.base import Store
from tests.machines import Machines, a_report
from tests.surface.api.machine_engine import MachineEngine

T = TypeVar("T")

WAIT_S = 20.0
FACTS = InstanceFacts(api_url="http://api.test", gateway_url="http://gateway.test", store="sqlite")
LOOPBACK = "127.0.0.0/8"  # where receivers of webhooks are in tests
PROXY_URL = "http://workspaces.test"
SECRET = b"0123456789abcdef0123456789abcdef"
NO_MARKS = Marks(soft_bytes=0, hard_bytes=0)
MACHINE = Machine(
    kinds=frozenset({EnvironmentKind.HOST, EnvironmentKind.UV}),
    pythons=(Interpreter(version="3.11.7", path="/usr/bin/python3.11"),),
)


@dataclass(slots=True)
class Workshop:
    """Builds at once what is asked for."""

    artifacts: ArtifactStore
    work: Path
    failure: str = ""
    lock: str = "six==1.17.0\n"

    async def build(
        self, action: BuildEnvironment, on_stage: Callable[[str], None]
    ) -> EnvironmentBuilt | EnvironmentFailed:
        on_stage("resolving")
        now_ms = clock.now_ms()
        if self.failure:
            return EnvironmentFailed(
                at_ms=now_ms, environment=action.environment, message=self.failure
            )
        return EnvironmentBuilt(
            at_ms=now_ms,
            environment=action.environment,
            path=str(self.work / action.environment),
            lock=self.lock,
            size_bytes=10,
            build_ms=1,
        )

    async def delete(self, action: DeleteEnvironment) -> EnvironmentDeleted:
        return EnvironmentDeleted(at_ms=clock.now_ms(), environment=action.environment)

    async def remove_home(self, action: RemoveHome) -> HomeRemoved:
        await asyncio.to_thread(Homes(self.work.parent / "homes").remove, action.path)
        return HomeRemoved(at_ms=clock.now_ms(), workspace=action.workspace)

    async def store_model(self, action: StoreModel) -> ModelStored:
        tree = await asyncio.to_thread(self.artifacts.put_tree, Path(action.path))
        return ModelStored(
            at_ms=clock.now_ms(),
            job=action.job,
            digest=tree.digest,
            size_bytes=tree.size_bytes,
            files=tree.files,
        )


@dataclass(slots=True, kw_only=True)
class Site:
    """What a test talks to. `call` is the administrator's, in JSON."""

    app: FastAPI
    http: httpx2.AsyncClient
    store: Store
    leader: Leader
    services: Services
    engine: MachineEngine
    workshop: Workshop
    admin_key: str
    keys: dict[str, str] = field(default_factory=dict[str, str])

    async def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        key: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> httpx2.Response:
        chosen = self.admin_key if key is None else key
        sent = {"Authorization": f"Bearer {chosen}"} if chosen else {}
        if isinstance(body, bytes):
            return await self.http.request(
                method, path, content=body, headers={**sent, **(headers or {})}
            )
        return await self.http.request(method, path, json=body, headers={**sent, **(headers or {})})

    async def view(self, path: str) -> dict[str, Any]:
        """What GET answers, which must be well."""
        response = await self.call("GET", path)
        assert response.status_code == 200, response.text
        return response.json()

    async def submit(self, **fields: Any) -> dict[str, Any]:
        body = {"name": "job", "command": ["true"], "gang": {"cpus": 0.1}, **fields}
        response = await self.call("POST", "/v1/jobs", body)
        assert response.status_code == 201, response.text
        return response.json()

    async def phase(self, job: dict[str, Any], *phases: str) -> dict[str, Any]:
        """The job, once it is in one of these phases."""

        async def look() -> dict[str, Any] | None:
            view = await self.view(f"/v1/jobs/{job['id']}")
            return view if view["phase"] in phases else None

        return await self.until(look)

    async def until(self, look: Callable[[], Awaitable[T | None]]) -> T:
        """The first answer that is not None, looked for now and after every event."""
        events = self.leader.watchers.subscribe()
        async with asyncio.timeout(WAIT_S):
            found = await look()
            while found is None:
                await anext(events)
                found = await look()
        return found

    async def make_key(self, role: Role, *, project: str = "", tenant: str = DEFAULT_TENANT) -> str:
        """The secret of a new key."""
        owner = Owner(tenant=tenant, project=project, name=role.value, role=role, created_by="test")
        secret, key = new_key(owner, entropy=clock.entropy(KEY_BYTES), now_ms=clock.now_ms())
        await self.leader.submit(CreateKey(key=key), receipt=None)
        return secret


def attempt_key(job: dict[str, Any], n: int = 1) -> AttemptKey:
    return AttemptKey(gang=job["id"], attempt=n)


@asynccontextmanager
async def running_site(
    data: Path, *, nodes: int = 2, body_bytes_max: int = 1 << 20, remote: Remote | None = None
) -> AsyncGenerator[Site]:
    """A site below `data`, stopped at the end."""
    engine = MachineEngine(Machines({name: a_report(name) for name in _names(nodes)}))
    store = open_store(f"sqlite:///{data / 'gigawatt.db'}")
    await asyncio.to_thread(store.migrate)
    artifacts = ArtifactStore(data / "artifacts", remote)
    leader = Leader(store=store, engine=engine, config=_config(data))
    workshop = Workshop(artifacts, data / "environments")
    await leader.start(_actuator(store, engine, leader, workshop))
    services = _services(data, leader, store=store, engine=engine, artifacts=artifacts)
    telling = _telling(services, leader)
    app = create_app(services, body_bytes_max=body_bytes_max)
    async with _client(app) as http:
        site = Site(
            app=app,
            http=http,
            store=store,
            leader=leader,
            services=services,
            engine=engine,
            workshop=workshop,
            admin_key="",
        )
        site.admin_key = await site.make_key(Role.OPERATOR)
        try:
            yield site
        finally:
            services.closing.set()
            telling.cancel()
            await leader.stop()
            store.close()


def _services(
    data: Path, leader: Leader, *, store: Store, engine: MachineEngine, artifacts: ArtifactStore
) -> Services:
    front, secrets = Front(leader), SecretFiles(data / "secrets", held_keys())
    return Services(
        store=store,
        leader=front,
        engine=engine,
        artifacts=artifacts,
        secrets=secrets,
        buckets=S3Trees(artifacts, secrets),
        machine=MACHINE,
        keyring=Keyring(store, RankTokens(SECRET)),
        instance=FACTS,
        doors=Doors(store=store, leader=front, secret=SECRET),
        key_sessions=KeySessions(SECRET),
        workspaces=WorkspaceRules(homes=Homes(data / "homes"), url=PROXY_URL),
        work_dir=str(data / "work"),
        premises=_premises(data, artifacts),
        disk=Disk(place=data, marks=NO_MARKS),
        webhooks=Webhooks(parse_networks(LOOPBACK)),
    )


def _telling(services: Services, leader: Leader) -> "asyncio.Task[None]":
    return asyncio.create_task(Courier(services, leader=leader).run())


def _actuator(store: Store, engine: MachineEngine, leader: Leader, workshop: Workshop) -> Actuator:
    return Actuator(
        engine=engine,
        workshop=workshop,
        archive=StoreArchive(store),
        secrets_of=lambda _: (),
        observe=leader.observe,
        deposed=leader.depose,
    )


def _client(app: FastAPI) -> httpx2.AsyncClient:
    transport = httpx2.ASGITransport(app=app, raise_app_exceptions=False)
    return httpx2.AsyncClient(transport=transport, base_url="http://api.test")


def _premises(data: Path, artifacts: ArtifactStore) -> LocalPremises:
    builder = EnvironmentBuilder(data / "environments")
    return LocalPremises(data, artifacts=artifacts, builder=builder)


def _names(nodes: int) -> list[str]:
    return [f"node-{index}" for index in range(nodes)]


def _config(data: Path) -> Config:
    return Config(
        holder="test",
        instance="test",
        site=LoopSite(work_dir=str(data / "work"), api_url="http://api.test"),
        cycles=data / "cycles",
        policy=Policy(),
        lease_ms=10_000,
    )
