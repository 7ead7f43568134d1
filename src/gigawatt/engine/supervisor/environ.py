"""The environment of a rank: torchrun's variables, gigawatt's, and what the user set. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from gigawatt.engine.supervisor.spec import RankSpec, StageSpec

PASSED_ON = frozenset(
    {
        "CURL_CA_BUNDLE",
        "HTTPS_PROXY",
        "HTTP_PROXY",
        "LANG",
        "LANGUAGE",
        "LD_LIBRARY_PATH",
        "NO_PROXY",
        "PATH",
        "REQUESTS_CA_BUNDLE",
        "SSL_CERT_DIR",
        "SSL_CERT_FILE",
        "TZ",
        "http_proxy",
        "https_proxy",
        "no_proxy",
    }
)  # of the machine's to walled ranks, besides what begins like these:
PASSED_ON_FIRST = ("CUDA_", "FI_", "HIP_", "LC_", "NCCL_", "NVIDIA_", "ROCR_", "SLURM_", "UCX_")


class Site(NamedTuple):
    """What a node adds of its own. Paths are absolute."""

    instance: str
    node: str
    python_dir: str  # holds the rank module as package gigawatt
    report_dir: str
    secrets_dir: str
    secrets: Mapping[str, str]  # by name; each is in a file there
    master_port: int
    port: int  # of a replica; 0 for none
    work_dir: str = ""  # the attempt's own directory, in which its volumes are
    home_dir: str = ""  # of one that is walled


def rank_environ(
    spec: StageSpec, rank: RankSpec, site: Site, base: Mapping[str, str]
) -> dict[str, str]:
    """All variables of one rank. `base` is the machine's, of which ours are dropped."""
    environ = {name: value for name, value in base.items() if not name.startswith("GIGAWATT_")}
    if site.home_dir:
        environ = {name: value for name, value in environ.items() if _is_passed_on(name)}
        environ.update(HOME=site.home_dir, USER="gang", LOGNAME="gang", SHELL="/bin/sh")
    if spec.environment:
        environ.pop("PYTHONPATH", None)
        environ.pop("PYTHONHOME", None)
        environ["VIRTUAL_ENV"] = spec.environment
        environ["PATH"] = _joined(f"{spec.environment}/bin", environ.get("PATH", ""))
    environ.update(spec.env)
    environ.update({name: site.secrets[name] for name in spec.secret_env if name in site.secrets})
    environ["PYTHONPATH"] = _joined(site.python_dir, environ.get("PYTHONPATH", ""))
    environ.setdefault("OMP_NUM_THREADS", str(max(1, spec.milli_cpu // 1000)))
    environ["PYTHONUNBUFFERED"] = "1"
    if spec.node_has_gpus:
        environ["CUDA_VISIBLE_DEVICES"] = ",".join(rank.gpus)
    environ.update(_torchrun(spec, rank, site))
    environ.update(_gigawatt(spec, rank, site))
    return environ


def marker(instance: str, key: str) -> str:
    """The value of GIGAWATT_ATTEMPT_ID, by which processes of an attempt are found again."""
    return f"{instance}/{key}"


def volume_variable(name: str) -> str:
    """The variable that says where a volume is."""
    return f"GIGAWATT_DATA_{name.upper().replace('-', '_')}"


def _torchrun(spec: StageSpec, rank: RankSpec, site: Site) -> dict[str, str]:
    return {
        "RANK": str(rank.rank),
        "WORLD_SIZE": str(spec.world_size),
        "LOCAL_RANK": str(rank.local_rank),
        "LOCAL_WORLD_SIZE": str(len(spec.ranks)),
        "GROUP_RANK": str(spec.node_rank),
        "NODE_RANK": str(spec.node_rank),
        "MASTER_ADDR": spec.master_addr,
        "MASTER_PORT": str(site.master_port),
    }


def _gigawatt(spec: StageSpec, rank: RankSpec, site: Site) -> dict[str, str]:
    environ = {
        "GIGAWATT_JOB": spec.gang,
        "GIGAWATT_ATTEMPT": str(spec.attempt),
        "GIGAWATT_ATTEMPT_ID": marker(site.instance, spec.key),
        "GIGAWATT_NAME": spec.name,
        "GIGAWATT_TENANT": spec.tenant,
        "GIGAWATT_PROJECT": spec.project,
        "GIGAWATT_NODE": site.node,
        "GIGAWATT_RANK": str(rank.rank),
        "GIGAWATT_REPORT_DIR": site.report_dir,
        "GIGAWATT_CHECKPOINT_DIR": spec.checkpoint_dir,
        "GIGAWATT_MODEL_PATH": spec.model_path,
        "GIGAWATT_RESUME_STEP": "" if spec.resume_step is None else str(spec.resume_step),
        "GIGAWATT_RESUME_PATH": spec.resume_path,
    }
    if site.port:
        environ["PORT"] = environ["GIGAWATT_PORT"] = str(site.port)
    for volume in spec.volumes:
        environ[volume_variable(volume.name)] = f"{site.work_dir}/{volume.path}"
    for name in site.secrets:
        environ[f"{name}_FILE"] = f"{site.secrets_dir}/{name}"
    return {name: value for name, value in environ.items() if value}


def _is_passed_on(name: str) -> bool:
    """What operators have in their environment may be secrets."""
    return name in PASSED_ON or name.startswith(PASSED_ON_FIRST)


def _joined(first: str, rest: str) -> str:
    return f"{first}:{rest}" if rest else first
