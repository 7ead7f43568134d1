"""What one node is asked to run of an attempt, parsed once from a `stage` request."""

from __future__ import annotations

from typing import Any, NamedTuple

ADDED_LATER: dict[str, Any] = {
    "resume_path": "",
    "volumes": (),
    "terminal": False,
    "secret_env": (),
    "walls": None,
    "home": "",
    "tools": "",
}  # journals of earlier supervisors lack these


class RankSpec(NamedTuple):
    rank: int
    local_rank: int
    gpus: tuple[str, ...]


class ReadinessSpec(NamedTuple):
    path: str
    interval_s: float


class VolumeSpec(NamedTuple):
    """A directory of this machine, to be seen at `path` below the attempt's own directory."""

    name: str
    path: str
    source: str
    writable: bool = True
    ours: bool = False  # kept by gigawatt itself, which may give it to whoever runs


class Shown(NamedTuple):
    """A directory of the machine that walled ranks see where it is."""

    path: str
    writable: bool


class Walls(NamedTuple):
    """How an attempt is kept apart from the rest of its machine."""

    kind: str  # process or user
    program: str  # bubblewrap
    uid: int  # that it runs as; 0: ours, as root of a user space of its own or as who we are
    shows: tuple[Shown, ...]
    hides: tuple[str, ...]  # over what is shown
    tasks_max: int  # processes and threads


class StageSpec(NamedTuple):
    """One node's part of an attempt. `nodes` are all of the gang's, in rank order."""

    key: str  # <gang>.<n>
    gang: str
    attempt: int
    kind: str
    name: str
    tenant: str
    project: str
    command: tuple[str, ...]
    env: dict[str, str]
    nodes: tuple[str, ...]
    node_rank: int
    world_size: int
    ranks: tuple[RankSpec, ...]
    milli_cpu: int
    memory_bytes: int
    node_has_gpus: bool
    environment: str
    template: str  # directory with the unpacked bundle; empty for none
    workdir: str
    checkpoint_dir: str
    model_path: str
    resume_step: int | None
    resume_path: str
    readiness: ReadinessSpec | None
    terminal: bool
    log_bytes_max: int
    master_addr: str
    volumes: tuple[VolumeSpec, ...] = ()
    secret_env: tuple[str, ...] = ()  # secrets that are variables too, and not only files
    walls: Walls | None = None
    home: str = ""  # kept for it elsewhere than below its own directory
    tools: str = ""  # another environment that it runs parts of

    @property
    def hosts_rank_0(self) -> bool:
        return self.node_rank == 0


def parse_stage(raw: dict[str, Any]) -> StageSpec:
    """Raises KeyError, TypeError or ValueError for what is no stage request."""
    readiness = raw["readiness"]
    raw = {**ADDED_LATER, **raw}
    values = {name: raw[name] for name in StageSpec._fields}
    values.update(
        command=tuple(str(word) for word in raw["command"]),
        env={str(name): str(value) for name, value in raw["env"].items()},
        nodes=tuple(str(node) for node in raw["nodes"]),
        ranks=tuple(
            RankSpec(rank=int(each["rank"]), local_rank=int(each["local_rank"]), gpus=_gpus(each))
            for each in raw["ranks"]
        ),
        volumes=tuple(_volume(each) for each in raw["volumes"]),
        secret_env=tuple(str(each) for each in raw["secret_env"]),
        readiness=readiness
        and ReadinessSpec(path=str(readiness["path"]), interval_s=float(readiness["interval_s"])),
        walls=raw["walls"] and _walls(raw["walls"]),
    )
    spec = StageSpec(**values)
    if not spec.ranks or not spec.command or "/" in spec.key or spec.key.startswith("."):
        raise ValueError(f"not an attempt: {spec.key!r}")
    return spec


def spec_json(spec: StageSpec) -> dict[str, Any]:
    """What `parse_stage` reads again. There are no secrets in a spec."""
    raw = spec._asdict()
    raw["ranks"] = [each._asdict() for each in spec.ranks]
    raw["volumes"] = [each._asdict() for each in spec.volumes]
    raw["readiness"] = spec.readiness and spec.readiness._asdict()
    raw["walls"] = spec.walls and {
        **spec.walls._asdict(),
        "shows": [each._asdict() for each in spec.walls.shows],
    }
    return raw


def _volume(raw: dict[str, Any]) -> VolumeSpec:
    return VolumeSpec(
        name=str(raw["name"]),
        path=str(raw["path"]),
        source=str(raw["source"]),
        writable=bool(raw.get("writable", True)),
        ours=bool(raw.get("ours", False)),
    )


def _walls(raw: dict[str, Any]) -> Walls:
    return Walls(
        kind=str(raw["kind"]),
        program=str(raw["program"]),
        uid=int(raw["uid"]),
        shows=tuple(Shown(str(each["path"]), bool(each["writable"])) for each in raw["shows"]),
        hides=tuple(str(each) for each in raw["hides"]),
        tasks_max=int(raw["tasks_max"]),
    )


def _gpus(raw: dict[str, Any]) -> tuple[str, ...]:
    return tuple(str(gpu) for gpu in raw["gpus"])
