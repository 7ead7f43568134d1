"""Everything that an instance is made of, put together. Nothing is started here."""

import os
import platform
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from gigawatt.api.handoff import SOCKET, Handoff
from gigawatt.build.artifacts import ArtifactStore
from gigawatt.build.buckets import parse_endpoints
from gigawatt.build.bundles import unpack
from gigawatt.build.environments import EnvironmentBuilder
from gigawatt.build.homes import Homes
from gigawatt.build.interpreters import this_machine
from gigawatt.build.remote import open_remote
from gigawatt.build.s3_trees import S3Trees
from gigawatt.build.secrets import SecretFiles, open_secrets
from gigawatt.build.volume_roots import parse_roots
from gigawatt.clock import entropy
from gigawatt.control.actuator import Actuator
from gigawatt.control.archive import StoreArchive
from gigawatt.control.bursar import Bursar
from gigawatt.control.caretaker import Caretaker
from gigawatt.control.courier import Courier
from gigawatt.control.front import Front
from gigawatt.control.inspector import Inspector
from gigawatt.control.leader import Config, Leader
from gigawatt.control.premises import LocalPremises
from gigawatt.control.workshop import LocalWorkshop
from gigawatt.engine.local import LocalEngine
from gigawatt.engine.local.datasets import Datasets
from gigawatt.engine.ray import RayEngine
from gigawatt.engine.slurm import SlurmEngine
from gigawatt.model.retention import Kind
from gigawatt.reconcile.pressure import Marks
from gigawatt.reconcile.turn import Site
from gigawatt.server.gateway import Address, GatewayProcess
from gigawatt.server.instance import Instance, secret
from gigawatt.server.keys import rank_secrets
from gigawatt.server.policy import policy_of
from gigawatt.server.posture import posture_of
from gigawatt.server.ray import ray_cluster, ray_options
from gigawatt.server.sign_in import sign_in_of
from gigawatt.server.slurm import slurm_of, slurm_options
from gigawatt.server.tls import Wire
from gigawatt.server.walls import walls_of
from gigawatt.service.authenticate import Keyring
from gigawatt.service.disk import Disk
from gigawatt.service.doors import Doors
from gigawatt.service.key_sessions import KeySessions
from gigawatt.service.mail import MailRules, MailServer, MailTls
from gigawatt.service.networks import parse_networks
from gigawatt.service.services import InstanceFacts, Services, WorkspaceRules
from gigawatt.service.tokens import RankTokens
from gigawatt.service.trust import trusting
from gigawatt.service.webhooks import Webhooks
from gigawatt.settings import Settings
from gigawatt.store import open_store
from gigawatt.store.base import Store

LEASE_MS = 3_000  # a standby waits for so long after the last word of a leader that is gone
FILE_LEASE_MS = (
    300_000  # renewing is most of what an idle instance does, and the directory is locked anyway
)

AnyEngine = LocalEngine | RayEngine | SlurmEngine


@dataclass(slots=True, kw_only=True)
class Parts:
    store: Store
    engine: AnyEngine
    leader: Leader
    actuator: Actuator
    workshop: LocalWorkshop
    services: Services
    gateway: GatewayProcess
    handoff: Handoff
    courier: Courier
    caretaker: Caretaker
    bursar: Bursar
    inspector: Inspector


def build(
    settings: Settings, instance: Instance, *, wire: Wire, gateway_port: int, proxy_url: str
) -> Parts:
    """The parts of one instance, each given what it needs of the others."""
    if settings.engine == "slurm":  # which checks its nodes by itself
        settings = replace(settings, node_watch_s=0, node_burn_s=0, node_checks="off")
    stores = _stores(settings)
    engine = _engine(settings, instance, stores)
    leader = Leader(store=stores.store, engine=engine, config=_config(settings, instance))
    access = _access(settings, stores.store, leader)
    stores.artifacts.cache.spare(partial(access.front.needs, Kind.CONTENTS))
    workshop = LocalWorkshop(builder=stores.builder, artifacts=stores.artifacts, homes=stores.homes)
    actuator = Actuator(
        engine=engine,
        workshop=workshop,
        archive=StoreArchive(stores.store),
        secrets_of=partial(rank_secrets, access.tokens, access.doors, stores.secrets, _ca(wire)),
        observe=leader.observe,
        deposed=leader.depose,
    )
    services = _services(settings, instance, stores, access, engine, proxy_url=proxy_url)
    services.posture = posture_of(settings, wire)
    return Parts(
        store=stores.store,
        engine=engine,
        leader=leader,
        actuator=actuator,
        workshop=workshop,
        services=services,
        gateway=_gateway(settings, instance, wire, gateway_port),
        handoff=Handoff(settings.data / SOCKET, services),
        courier=Courier(services, leader=leader),
        bursar=Bursar(services, observe=leader.observe, close_after_days=settings.close_after_days),
        caretaker=Caretaker(services, observe=leader.observe, every_s=settings.retention_every_s),
        inspector=Inspector(
            leader, engine, watch_s=settings.node_watch_s, burn_s=settings.node_burn_s
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stores:
    """What keeps things, in the data directory or where the settings say."""

    store: Store
    artifacts: ArtifactStore
    secrets: SecretFiles
    buckets: S3Trees
    homes: Homes
    builder: EnvironmentBuilder


def _stores(settings: Settings) -> _Stores:
    artifacts = _artifacts(settings)
    secrets = open_secrets(settings.data, settings.secrets_key, os.environ)
    secrets.seal_plain()
    builder = EnvironmentBuilder(
        settings.data / "environments", artifact=artifacts.sound, secret_of=secrets.read
    )
    store = open_store(settings.store_url)
    store.keep_audit(settings.keep_audit_s * 1000)
    return _Stores(
        store=store,
        artifacts=artifacts,
        secrets=secrets,
        buckets=S3Trees(
            artifacts, secrets, endpoints=parse_endpoints(settings.volume_s3_endpoints)
        ),
        homes=Homes(settings.homes_dir),
        builder=builder,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Access:
    """Who may do what, and the way to the leader."""

    front: Front
    secret: bytes
    tokens: RankTokens
    doors: Doors
    keyring: Keyring


def _access(settings: Settings, store: Store, leader: Leader) -> _Access:
    key, front = secret(settings.data / "secret"), Front(leader)
    tokens = RankTokens(key)
    return _Access(
        front=front,
        secret=key,
        tokens=tokens,
        doors=Doors(store=store, leader=front, secret=key),
        keyring=Keyring(store, tokens),
    )


def _services(
    settings: Settings,
    instance: Instance,
    stores: _Stores,
    access: _Access,
    engine: AnyEngine,
    *,
    proxy_url: str,
) -> Services:
    return Services(
        store=stores.store,
        leader=access.front,
        engine=engine,
        artifacts=stores.artifacts,
        secrets=stores.secrets,
        buckets=stores.buckets,
        machine=this_machine(),
        keyring=access.keyring,
        instance=_facts(settings, instance),
        doors=access.doors,
        key_sessions=KeySessions(access.secret),
        sign_in=sign_in_of(
            settings.sign_in,
            store=stores.store,
            leader=access.front,
            secret=access.secret,
            api_url=instance.api_url,
        ),
        workspaces=_workspaces(settings, proxy_url, stores.homes),
        work_dir=_work_dir(settings),
        artifact_bytes_max=settings.artifact_bytes_max,
        volume_roots=parse_roots(settings.volume_roots),
        accept_unisolated_tenants=settings.accept_unisolated_tenants == "on",
        project_bytes_max=settings.project_bytes_max,
        webhooks=_webhooks(settings),
        mail=_mail(settings),
        premises=LocalPremises(settings.data, artifacts=stores.artifacts, builder=stores.builder),
        disk=_disk(settings),
        cycles=settings.data / "cycles",
        retention=settings.retention,
    )


def _ca(wire: Wire) -> str:
    """What ranks believe the API by; empty for their system's."""
    return Path(wire.authority).read_text() if wire.authority else ""


def _gateway(settings: Settings, instance: Instance, wire: Wire, port: int) -> GatewayProcess:
    certificates = wire.certificates
    address = Address(
        host=settings.host,
        port=port,
        api_url=instance.api_url,
        workers=settings.gateway_workers,
        name=wire.name,
        cert=str(certificates.cert) if certificates else "",
        key=str(certificates.key) if certificates else "",
        pinned=wire.pinned,
        authority=wire.authority,
        insecure=settings.insecure_no_tls == "on",
    )
    return GatewayProcess(settings.data, address)


def _artifacts(settings: Settings) -> ArtifactStore:
    root = settings.data / "artifacts"
    remote = open_remote(
        settings.artifacts_url, credentials=settings.artifacts_credentials, state=root / "sending"
    )
    return ArtifactStore(root, remote, cache_bytes_max=settings.artifacts_cache_bytes_max)


def _engine(settings: Settings, instance: Instance, stores: _Stores) -> AnyEngine:
    datasets = Datasets(
        settings.data,
        stores.buckets.materialise,
        stored=stores.artifacts.exists,
        bytes_max=settings.data_bytes_max,
    )
    if settings.engine == "slurm":
        return SlurmEngine(
            settings.data,
            slurm_of(settings),
            options=slurm_options(settings),
            api_url=instance.api_url,
            unpack=unpack,
            archive=stores.artifacts.sound,
            datasets=datasets,
        )
    if settings.engine == "ray":
        return RayEngine(
            settings.data,
            ray_cluster(settings),
            options=ray_options(settings),
            api_url=instance.api_url,
            unpack=unpack,
            archive=stores.artifacts.sound,
            datasets=datasets,
        )
    return LocalEngine(
        settings.data,
        nodes=settings.nodes,
        orphan_s=settings.orphan_s,
        api_url=instance.api_url,
        unpack=unpack,
        archive=stores.artifacts.sound,
        datasets=datasets,
        walls=walls_of(settings),
    )


def _workspaces(settings: Settings, proxy_url: str, homes: Homes) -> WorkspaceRules:
    return WorkspaceRules(
        homes=homes,
        homes_shared=bool(settings.homes),
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
        handoff=str(settings.data / SOCKET),
        issuer=settings.invoice_issuer,
        authority=instance.ca_path,
    )


def _webhooks(settings: Settings) -> Webhooks:
    if settings.notify_ca_file:
        trusting(settings.notify_ca_file)  # so that what is wrong with it is said now
    return Webhooks(parse_networks(settings.webhook_networks), ca_file=settings.notify_ca_file)


def _mail(settings: Settings) -> MailServer | None:
    if not settings.mail_host:
        return None
    domains = settings.mail_domains.lower().split(",")
    return MailServer(
        MailRules(
            host=settings.mail_host,
            port=settings.mail_port,
            sender=settings.mail_from,
            tls=MailTls(settings.mail_tls),
            user=settings.mail_user,
            password_file=settings.mail_password_file,
            domains=tuple(each.strip() for each in domains if each.strip()),
            ca_file=settings.notify_ca_file,
        )
    )


def _disk(settings: Settings) -> Disk:
    marks = Marks(soft_bytes=settings.disk_free_soft, hard_bytes=settings.disk_free_hard)
    return Disk(place=settings.data, marks=marks)


def _config(settings: Settings, instance: Instance) -> Config:
    return Config(
        holder=f"{settings.data} on {platform.node()}",
        instance=entropy(8).hex(),
        site=Site(
            work_dir=_work_dir(settings),
            api_url=instance.api_url,
            checks="" if settings.node_checks == "off" else settings.node_checks,
        ),
        cycles=settings.data / "cycles",
        policy=policy_of(settings),
        lease_ms=FILE_LEASE_MS if settings.store_url.startswith("sqlite:") else LEASE_MS,
    )


def _work_dir(settings: Settings) -> str:
    return str(settings.data / "work")
