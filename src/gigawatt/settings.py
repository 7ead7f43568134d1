"""Every setting: name, type, default, one sentence. Flags of `gw up` and GIGAWATT_* variables set the same ones."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Annotated, Any

import platformdirs

from gigawatt.build.remote import check_url
from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.model.retention import Retention
from gigawatt.scheduler.policy import POLICIES, Fit
from gigawatt.service.networks import check_networks
from gigawatt.spec.levels import check_levels, levels_ms

FILES = (
    "artifacts_credentials",
    "ray_token",
    "slurm_token",
    "slurm_topology",
    "notify_ca_file",
    "mail_password_file",
    "tls_cert",
    "tls_key",
    "tls_ca",
    "sign_in",
)
ENGINES = ("local", "ray", "slurm")
CHOICES = {
    "policy": tuple(POLICIES),
    "placement": tuple(Fit),
    "ray_nodes": ("joined", "all"),
    "mail_tls": ("starttls", "tls", "none"),
    "preempt": ("off", "project"),
    "reclaim": ("off", "on"),
    "consolidate": ("off", "on"),
    "tls": ("off", "on"),
    "insecure_no_tls": ("off", "on"),
    "accept_unisolated_tenants": ("off", "on"),
    "isolation": ("auto", "process", "user", "none"),
    "node_checks": ("off", "watch", "quick", "full"),
}
RANGES = {
    "port": (0, 65_535),
    "gateway_port": (0, 65_535),
    "close_after_days": (0, 27),
    "gateway_workers": (0, 256),
    "ray_port": (1, 65_535),
    "mail_port": (1, 65_535),
    "workspace_port": (0, 65_535),
    "nodes": (1, 256),
    "hold_after_s": (0, 1 << 31),
    "share_half_life_s": (60, 1 << 31),
    "starve_after_s": (0, 1 << 31),
    "min_run_s": (0, 1 << 31),
    "preempt_notice_s": (0, 3_600),
    "stops_max": (0, 1 << 31),
    "grow_every_s": (0, 1 << 31),
    "orphan_s": (1, 1 << 31),
    "node_watch_s": (0, 1 << 31),
    "node_burn_s": (0, 1 << 31),
    "workspace_idle_s": (60, 1 << 31),
    "workspace_idle_max_s": (60, 1 << 31),
    "workspace_lease_s": (60, 1 << 31),
    "workspace_lease_max_s": (0, 1 << 31),
    "project_bytes_max": (0, 1 << 60),
    "data_bytes_max": (0, 1 << 60),
    "artifacts_cache_bytes_max": (0, 1 << 60),
    **{
        f"keep_{kind}_s": (0, 1 << 31)
        for kind in ("jobs", "logs", "checkpoints", "environments", "artifacts")
    },
    "keep_audit_s": (86_400, 1 << 31),
    "retention_every_s": (1, 1 << 31),
    "disk_free_soft": (0, 1 << 60),
    "disk_free_hard": (0, 1 << 60),
}


def default_data() -> Path:
    """The user's own data directory, by the platform's rules (XDG on Linux)."""
    return Path(platformdirs.user_data_dir("gigawatt"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    data: Annotated[Path, "The directory that holds all state."] = field(
        default_factory=default_data
    )
    secrets_key: Annotated[
        str,
        "What wraps the keys of secrets: file:/path, env:GIGAWATT_NAME, command:/path ARGS; empty for DATA/secrets.key.",
    ] = ""
    host: Annotated[str, "The address that the API and the gateway listen on."] = "127.0.0.1"
    tls: Annotated[str, "TLS by a local authority, made below DATA/tls: on or off."] = "off"
    tls_cert: Annotated[str, "A certificate to serve with, PEM; it is read again on change."] = ""
    tls_key: Annotated[str, "Its key, PEM."] = ""
    tls_ca: Annotated[str, "What clients here believe it by; empty for the system's."] = ""
    tls_names: Annotated[str, "Names of this machine, with commas; URLs have the first."] = ""
    insecure_no_tls: Annotated[str, "Serve others without TLS, behind a proxy: on or off."] = "off"
    sign_in: Annotated[str, "A file of OpenID providers, and of whom they make what."] = ""
    port: Annotated[int, "The port of the API; 0 takes a free one."] = 8484
    gateway_port: Annotated[int, "The port of the gateway; 0 takes a free one."] = 8485
    gateway_workers: Annotated[int, "Processes of the gateway; 0 is one for each core."] = 1
    nodes: Annotated[int, "How many virtual nodes this machine is shared out to."] = 1
    engine: Annotated[
        str,
        "What runs processes: local, on this machine; ray, on a Ray cluster; slurm, on the cluster that sinfo shows here.",
    ] = "local"
    ray_address: Annotated[
        str, "The head of a Ray cluster that is there, HOST:PORT; empty starts one of our own."
    ] = ""
    ray_port: Annotated[int, "The port of a head of our own."] = 6379
    ray_token: Annotated[
        str, "The file with the token of a Ray cluster that is there, readable by its owner alone."
    ] = ""
    ray_nodes: Annotated[
        str, "Which nodes of it are used: joined, those of gw node join; all, whatever it has."
    ] = "joined"
    slurm_partition: Annotated[
        str, "The partition whose nodes are used; empty for all that Slurm has."
    ] = ""
    slurm_options: Annotated[
        str, "More options for every sbatch, as in a shell: --account=ai --qos=high."
    ] = ""
    slurm_rest: Annotated[
        str,
        "Where slurmrestd is: http://login1:6820, or unix:/run/slurmrestd.sock; empty for Slurm's commands.",
    ] = ""
    slurm_token: Annotated[
        str,
        "A file with a token of Slurm's for that, which somebody renews; empty to ask scontrol for one.",
    ] = ""
    slurm_users: Annotated[
        str,
        "Whose Slurm's jobs are: empty, all are the control plane's; same, Unix users by the names of users here;"
        " a file, lines of tenant/user and Unix user.",
    ] = ""
    slurm_python: Annotated[
        str, "The Python that supervisors run with on nodes; empty for the control plane's."
    ] = ""
    slurm_topology: Annotated[
        str, "A topology.conf or topology.yaml in place of what Slurm tells; empty for that."
    ] = ""
    store: Annotated[str, "The database's URL; empty for SQLite in the data directory."] = ""
    disk_free_min: Annotated[
        int, "Bytes that must be free in the data directory before a start."
    ] = 64 << 20
    body_bytes_max: Annotated[int, "The largest request body, artifacts apart."] = 1 << 20
    artifact_bytes_max: Annotated[int, "The largest artifact that may be uploaded."] = 64 << 30
    artifacts_url: Annotated[
        str,
        "Where artifacts are kept: file:///shared/dir or s3://bucket/prefix; empty for the data directory alone.",
    ] = ""
    artifacts_credentials: Annotated[
        str,
        "A file like AWS's with the keys for S3, readable by its owner alone; empty for AWS's own places.",
    ] = ""
    artifacts_cache_bytes_max: Annotated[
        int,
        "What is kept in the data directory of artifacts that have another place, in bytes; 0 is without limit.",
    ] = 0
    volume_roots: Annotated[
        str,
        "Directories below which path volumes may be, separated by colons; "
        "{tenant} and {project} are the volume's own.",
    ] = ""
    volume_s3_endpoints: Annotated[
        str,
        "URLs of S3-compatible servers, separated by spaces, whose buckets may be volumes; AWS's always may.",
    ] = ""
    project_bytes_max: Annotated[
        int, "What the managed volumes of one project may hold together; 0 is without limit."
    ] = 0
    data_bytes_max: Annotated[
        int, "The data sets that each node keeps for later jobs, in bytes; 0 is without limit."
    ] = 0
    invoice_issuer: Annotated[str, "Who sends invoices, as they name it."] = "gigawatt"
    close_after_days: Annotated[
        int, "Months are closed so many days after their end; 0: by hand."
    ] = 0
    policy: Annotated[
        str,
        "Who starts when, by name; what the settings below say beside their defaults goes before it.",
    ] = "default"
    placement: Annotated[
        str,
        "Which of the nodes that have room, by name: best, first, or one that packs shared nodes as fgd.",
    ] = "best"
    levels: Annotated[
        str,
        "With the policy levels: after how much run time a job is one level further back, e.g. 8h,3d;"
        " empty for the policy's own.",
    ] = ""
    hold_after_s: Annotated[
        int, "How long a gang waits before nodes that it could use are kept from lower ones."
    ] = 600
    share_half_life_s: Annotated[
        int, "After how long the past use of a project counts half in what it is owed."
    ] = 604_800
    starve_after_s: Annotated[
        int, "How long a gang waits before it comes before all that is guaranteed; 0 is never."
    ] = 604_800
    preempt: Annotated[
        str,
        "Whom a job may stop: off, nobody; project, others of its project with lower priorities.",
    ] = "off"
    reclaim: Annotated[
        str,
        "Whether a job within its project's quota may stop those of projects beyond theirs: off or on.",
    ] = "off"
    consolidate: Annotated[
        str,
        "Whether jobs that lose little are moved so that what is free lies together: off or on.",
    ] = "off"
    min_run_s: Annotated[
        int, "How long what was placed runs before it may be stopped or moved for another."
    ] = 600
    preempt_notice_s: Annotated[
        int, "How long a job that saves checkpoints has to save one before it is stopped."
    ] = 30
    stops_max: Annotated[
        int, "How often one job may be stopped or moved for others; 0 is without limit."
    ] = 5
    grow_every_s: Annotated[
        int,
        "How long an elastic job runs where it is before it may start again on more nodes; 0 is never.",
    ] = 900
    keep_jobs_s: Annotated[
        int, "How long ended jobs are kept where their project says nothing; 0 is for ever."
    ] = 0
    keep_logs_s: Annotated[
        int, "How long the output of ended jobs and replicas is kept, likewise."
    ] = 0
    keep_checkpoints_s: Annotated[
        int, "How long the checkpoints of jobs that succeeded are kept, likewise."
    ] = 0
    keep_environments_s: Annotated[
        int, "How long environments that nothing needs are kept, likewise."
    ] = 0
    keep_artifacts_s: Annotated[
        int, "How long bundles and other artifacts that nothing needs are kept, likewise."
    ] = 0
    retention_every_s: Annotated[int, "How often what need not be kept is looked for."] = 3600
    disk_free_soft: Annotated[
        int, "Free bytes below which caches go; at most a tenth of the disk counts; 0 is never."
    ] = 20 << 30
    disk_free_hard: Annotated[
        int,
        "Free bytes below which nothing new is built or uploaded; at most a twentieth of the disk"
        " counts; 0 is never.",
    ] = 2 << 30
    node_watch_s: Annotated[
        int, "How often nodes are looked at by checks that disturb nothing; 0 is never."
    ] = 300
    node_burn_s: Annotated[
        int, "How often nodes on which nothing runs are checked under load; 0 is never."
    ] = 0
    node_checks: Annotated[
        str,
        "Checks before the first gang of a node that joins, comes back or was repaired: off, watch, quick or full.",
    ] = "off"
    orphan_s: Annotated[int, "How long supervisors keep ranks running without a control plane."] = (
        86_400
    )

    isolation: Annotated[
        str,
        "How gangs are kept apart at least: auto, jobs that ask where the machine can; process or user, always; none.",
    ] = "auto"
    isolation_shows: Annotated[
        str,
        "Directories of the machine that isolated ranks see too, separated by colons: /datasets:/scratch=rw.",
    ] = ""
    keep_audit_s: Annotated[int, "How long the audit record is kept."] = 400 * 86_400
    accept_unisolated_tenants: Annotated[
        str,
        "Whether there may be tenants although ranks of one could read files, memory and keys of another: off or on.",
    ] = "off"
    webhook_networks: Annotated[
        str, "Networks that webhooks may go to although they are not public: 10.0.0.0/8, fd00::/8."
    ] = ""
    notify_ca_file: Annotated[
        str,
        "A file of certificates, PEM, that webhooks and the mail server are believed by besides the system's.",
    ] = ""
    mail_host: Annotated[str, "The mail server that notifications go out by; empty for none."] = ""
    mail_port: Annotated[int, "Its port."] = 587
    mail_tls: Annotated[
        str, "How it is spoken to: starttls, tls (from the first byte, mostly port 465), or none."
    ] = "starttls"
    mail_from: Annotated[str, "The address that mail comes from."] = ""
    mail_user: Annotated[str, "Who signs in there; empty for nobody."] = ""
    mail_password_file: Annotated[
        str, "A file with that user's password, readable by its owner alone."
    ] = ""
    mail_domains: Annotated[
        str, "Domains that mail may go to, separated by commas; empty for any."
    ] = ""
    workspace_port: Annotated[
        int,
        "The port of the proxy that workspaces are opened at; 0, or the default where it is taken, is a free one.",
    ] = 8486
    workspace_url: Annotated[
        str, "Where browsers reach that proxy, if not at its own host and port."
    ] = ""
    workspace_idle_s: Annotated[
        int, "How long a workspace may be unused before it is suspended, where it says nothing."
    ] = 3_600
    workspace_idle_max_s: Annotated[int, "The longest that a workspace may ask to be unused."] = (
        86_400
    )
    workspace_lease_s: Annotated[
        int, "How long after its start a workspace is suspended, where it says nothing."
    ] = 43_200
    workspace_lease_max_s: Annotated[
        int, "The longest lease that a workspace may have from now on; 0 is without limit."
    ] = 604_800
    jupyter: Annotated[str, "The requirements that JupyterLab is built from."] = (
        "jupyterlab>=4.4,<5 ipykernel>=6.29"
    )
    homes: Annotated[
        str,
        "A directory that all nodes share, for the homes of workspaces; empty for one in the data directory.",
    ] = ""

    @property
    def retention(self) -> Retention:
        return Retention(
            jobs_ms=self.keep_jobs_s * 1000,
            logs_ms=self.keep_logs_s * 1000,
            checkpoints_ms=self.keep_checkpoints_s * 1000,
            environments_ms=self.keep_environments_s * 1000,
            artifacts_ms=self.keep_artifacts_s * 1000,
        )

    @property
    def levels_ms(self) -> tuple[int, ...]:
        return levels_ms(self.levels)

    @property
    def homes_dir(self) -> Path:
        return Path(self.homes) if self.homes else self.data / "homes"

    @property
    def store_url(self) -> str:
        return self.store or f"sqlite:///{self.data / 'gigawatt.db'}"


def from_environment(environ: Mapping[str, str] = os.environ) -> Settings:
    """The defaults, with GIGAWATT_<NAME> in their place where it is set. Raises RefusalError."""
    settings = Settings()
    for each in fields(Settings):
        variable = f"GIGAWATT_{each.name.upper()}"
        if variable in environ:
            settings = with_value(settings, each.name, environ[variable], source=variable)
    return settings


def with_value(settings: Settings, name: str, value: Any, *, source: str) -> Settings:
    """`settings` with one of them set, checked. Raises RefusalError naming `source`."""
    before = getattr(settings, name)
    try:
        parsed = Path(value).absolute() if isinstance(before, Path) else type(before)(value)
    except ValueError:
        raise RefusalError(
            RefusalCode.INVALID, f"{source} is {value!r}, which is not a whole number", field=name
        ) from None
    _check(name, parsed, source)
    return replace(settings, **{name: parsed})


def _check(name: str, value: Any, source: str) -> None:
    if name in RANGES:
        low, high = RANGES[name]
        if not low <= value <= high:
            raise RefusalError(
                RefusalCode.INVALID,
                f"{source} is {value}; it must be from {low} to {high}",
                field=name,
            )
    if name in CHOICES and value not in CHOICES[name]:
        detail = f"{source} is {value!r}; it must be {' or '.join(CHOICES[name])}"
        raise RefusalError(RefusalCode.INVALID, detail, field=name)
    if name == "artifacts_url" and value:
        check_url(value)
    if name in FILES and value and not Path(value).is_absolute():
        detail = f"{source} is {value!r}, which is not an absolute path"
        raise RefusalError(RefusalCode.INVALID, detail, field=name)
    if name == "levels":
        check_levels(value, source)
    if name == "webhook_networks":
        check_networks(value, source)
    if name == "engine" and value not in ENGINES:
        detail = f"{source} is {value!r}; this version has: {', '.join(ENGINES)}"
        raise RefusalError(RefusalCode.UNSUPPORTED, detail, field=name)
