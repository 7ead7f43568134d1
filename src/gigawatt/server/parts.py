"""Everything that an instance is made of, put together. Nothing is started here."""

from dataclasses import dataclass
from functools import partial

from gigawatt.build.artifacts import ArtifactStore
from gigawatt.build.bundles import unpack
from gigawatt.build.environments import EnvironmentBuilder
from gigawatt.build.homes import Homes
from gigawatt.build.interpreters import this_machine
from gigawatt.build.secrets import SecretFiles
from gigawatt.clock import entropy
from gigawatt.control.actuator import Actuator
from gigawatt.control.archive import StoreArchive
from gigawatt.control.caretaker import Caretaker
from gigawatt.control.front import Front
from gigawatt.control.leader import Config, Leader
from gigawatt.control.premises import LocalPremises
from gigawatt.control.workshop import LocalWorkshop
from gigawatt.engine.local import LocalEngine
from gigawatt.reconcile.pressure import Marks
from gigawatt.reconcile.turn import Site
from gigawatt.scheduler.policy import Policy
from gigawatt.server.gateway import Address, GatewayProcess
from gigawatt.server.instance import Instance, secret
from gigawatt.server.keys import rank_secrets
from gigawatt.service.authenticate import Keyring
from gigawatt.service.disk import Disk
from gigawatt.service.doors import Doors
from gigawatt.service.services import InstanceFacts, Services, WorkspaceRules
from gigawatt.service.tokens import RankTokens
from gigawatt.settings import Settings
from gigawatt.store import open_store
from gigawatt.store.base import Store

LEASE_MS = 10_000
FILE_LEASE_MS = (
    300_000  # renewing is most of what an idle instance does, and the directory is locked anyway
)


@dataclass(slots=True, kw_only=True)
class Parts:
    store: Store
    engine: LocalEngine
    leader: Leader
    actuator: Actuator
    workshop: LocalWorkshop
    services: Services
    gateway: GatewayProcess
    caretaker: Caretaker


def build(settings: Settings, instance: Instance, *, gateway_port: int, proxy_url: str) -> Parts:
    """The parts of one instance, each given what it needs of the others."""
    store = open_store(settings.store_url)
    engine = _engine(settings, instance)
    artifacts = ArtifactStore(settings.data / "artifacts")
    leader = Leader(store=store, engine=engine, config=_config(settings, instance))
    key = secret(settings.data / "secret")
    tokens = RankTokens(key)
    front = Front(leader)
    doors = Doors(store=store, leader=front, secret=key)
    homes = Homes(settings.homes_dir)
    secrets = SecretFiles(settings.data / "secrets")
    builder = EnvironmentBuilder(
        settings.data / "environments", artifact=artifacts.path, secret_of=secrets.read
    )
    workshop = LocalWorkshop(builder=builder, artifacts=artifacts, homes=homes)
    actuator = Actuator(
        engine=engine,
        workshop=workshop,
        archive=StoreArchive(store),
        secrets_of=partial(rank_secrets, tokens, doors),
        observe=leader.observe,
        deposed=leader.depose,
    )
    services = Services(
        store=store,
        leader=front,
        engine=engine,
        artifacts=artifacts,
        secrets=secrets,
        machine=this_machine(),
        keyring=Keyring(store, tokens),
        instance=_facts(settings, instance),
        doors=doors,
        workspaces=_workspaces(settings, proxy_url, homes),
        work_dir=_work_dir(settings),
        premises=LocalPremises(settings.data, artifacts=artifacts, builder=builder),
        disk=_disk(settings),
        retention=settings.retention,
    )
    return Parts(
        store=store,
        engine=engine,
        leader=leader,
        actuator=actuator,
        workshop=workshop,
        services=services,
        gateway=_gateway(settings, instance, gateway_port),
        caretaker=Caretaker(services, observe=leader.observe, every_s=settings.retention_every_s),
    )


def _gateway(settings: Settings, instance: Instance, port: int) -> GatewayProcess:
    address = Address(host=settings.host, port=port, api_url=instance.api_url)
    return GatewayProcess(settings.data, address)


def _engine(settings: Settings, instance: Instance) -> LocalEngine:
    return LocalEngine(
        settings.data,
        nodes=settings.nodes,
        orphan_s=settings.orphan_s,
        api_url=instance.api_url,
        unpack=unpack,
    )


def _workspaces(settings: Settings, proxy_url: str, homes: Homes) -> WorkspaceRules:
    return WorkspaceRules(
        homes=homes,
        url=proxy_url,
        jupyter=tuple(settings.jupyter.split()),
        idle_s=settings.workspace_idle_s,
        idle_max_s=settings.workspace_idle_max_s,
        lease_s=settings.workspace_lease_s,
        lease_max_s=settings.workspace_lease_max_s,
    )


def _facts(settings: Settings, instance: Instance) -> InstanceFacts:
    return InstanceFacts(
        api_url=instance.api_url,
        gateway_url=instance.gateway_url,
        store=settings.store_url.partition(":")[0],
    )


def _disk(settings: Settings) -> Disk:
    marks = Marks(soft_bytes=settings.disk_free_soft, hard_bytes=settings.disk_free_hard)
    return Disk(place=settings.data, marks=marks)


def _config(settings: Settings, instance: Instance) -> Config:
    return Config(
        holder=f"{settings.data}",
        instance=entropy(8).hex(),
        site=Site(work_dir=_work_dir(settings), api_url=instance.api_url),
        cycles=settings.data / "cycles",
        policy=Policy(hold_after_ms=settings.hold_after_s * 1000),
        lease_ms=FILE_LEASE_MS if settings.store_url.startswith("sqlite:") else LEASE_MS,
    )


def _work_dir(settings: Settings) -> str:
    return str(settings.data / "work")
