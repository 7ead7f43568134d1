"""How a decorated function is to run: the options of `@gw.job`, and the fields of a job that they make."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypedDict, cast

from gigawatt.model.refusal import RefusalCode, RefusalError

NAME_CHARS_MAX = 63
LAYOUT = ("same", "segment", "spares", "spread", "apart", "watts")
GANG = ("nodes", "ranks_per_node", "gpus", "gpu_kinds", "cpus", "memory", *LAYOUT)
TIMES = ("timeout", "start_after", "start_before", "deadline", "finish_within", "at_deadline")
AS_THEY_ARE = (
    "priority",
    "grace",
    "hang",
    "isolation",
    "labels",
    "volumes",
    "secrets",
    "model",
    *TIMES,
)
AFTER = ("after", "after_failed", "after_done")
_NOT_IN_NAMES = re.compile(r"[^a-z0-9]+")


class JobOptions(TypedDict, total=False):
    """What `@gw.job(...)` and `.options(...)` take; each as in a job file, and amounts are for each node.

    Attributes:
        name: of its jobs; default: made from the function's.
        nodes: how many, or `{"min": 2, "max": 4}` for as many as are free.
        ranks_per_node: processes on each node.
        gpus: of each node; a fraction shares one.
        gpu_kinds: which kinds of GPU will do, e.g. `["h200", "b200"]`.
        cpus: of each node.
        memory: of each node, e.g. "16GiB".
        same: the level of topology that all nodes share, e.g. "rack".
        segment, spares, spread, apart, watts: how it is laid out, as in a job file, e.g. `{"nodes": 16, "level": "nvlink"}`.
        environment: "host", a list of requirements, the path of a requirements file (`.txt`) or of a lock, or a mapping
            as in a job file.
        env: environment variables.
        bundle: the directory of code to take along, or None for none; default: where the function's outermost package
            is.
        priority: from -1000 to 1000.
        timeout: how long one attempt may run, e.g. "2h" or seconds.
        start_after, start_before: from when, and up to when, it may start.
        deadline, finish_within: by when it should be done; `at_deadline` "stop" stops it then.
        grace: from SIGTERM to SIGKILL.
        isolation: how far it is kept apart from other gangs, at least: process, user or node.
        hang: after how many median steps without progress it counts as hanging; "auto" or "off".
        retries: more attempts when the function raises, or `{"user": 1, "infrastructure": 5}`.
        after: jobs, futures, or ids and names of jobs that must have succeeded.
        after_failed, after_done: likewise, that must have failed, or ended in whatever way.
        labels: for finding it again.
        volumes: data that ranks see: `["imagenet:3", "scratch:out:rw"]`, or `{"imagenet:3": "data/in"}`.
        secrets: secrets of the project, in variables: `{"HF_TOKEN": "hub-token"}`, or as files alone:
            `{"TLS_KEY": {"secret": "tls-key", "into": "file"}}`.
        model: what to register when it succeeds, as in a job file.
    """

    name: str
    nodes: int | Mapping[str, int]
    ranks_per_node: int
    gpus: float
    gpu_kinds: Sequence[str]
    cpus: float
    memory: str | int
    same: str
    segment: Mapping[str, Any]
    spares: int
    spread: Mapping[str, Any]
    apart: Sequence[Mapping[str, Any]]
    watts: str | float
    environment: str | Path | Sequence[str] | Mapping[str, Any]
    env: Mapping[str, str | int | float]
    bundle: str | Path | None
    priority: int
    timeout: str | float
    start_after: str | int
    start_before: str | int
    deadline: str | int
    finish_within: str | float
    at_deadline: str
    grace: str | float
    hang: str | int
    isolation: str
    retries: int | Mapping[str, int]
    after: Sequence[Any]
    after_failed: Sequence[Any]
    after_done: Sequence[Any]
    labels: Mapping[str, str]
    volumes: Sequence[str | Mapping[str, str]] | Mapping[str, str]
    secrets: Mapping[str, str | Mapping[str, str]]
    model: Mapping[str, Any]


def check_options(options: Mapping[str, Any]) -> None:
    """Raises TypeError for an option that there is not, with the nearest that there is."""
    from difflib import get_close_matches

    known = JobOptions.__annotations__
    for name in options:
        if name not in known:
            near = get_close_matches(name, known, n=1)
            more = f"; did you mean {near[0]}?" if near else ""
            raise TypeError(f"gw.job takes no option {name!r}{more}")


def fields_of(options: JobOptions, *, default_name: str) -> dict[str, Any]:
    """A job's fields, without command and bundle. Raises RefusalError."""
    given = cast("Mapping[str, Any]", options)
    fields: dict[str, Any] = {
        "name": options.get("name") or named(default_name),
        "gang": {name: given[name] for name in GANG if name in given},
        "env": {name: str(value) for name, value in options.get("env", {}).items()},
        "environment": _environment(options.get("environment", "host")),
        **{name: [_job_id(each) for each in given.get(name, ())] for name in AFTER},
        **{name: given[name] for name in AS_THEY_ARE if name in given},
    }
    if "retries" in options:
        retries = options["retries"]
        fields["retries"] = {"user": retries} if isinstance(retries, int) else dict(retries)
    return {name: value for name, value in fields.items() if value not in ({}, [])}


def named(text: str, *, number: int | None = None) -> str:
    """A job's name made from a function's, with the number of an item behind it."""
    tail = "" if number is None else f"-{number}"
    slug = _NOT_IN_NAMES.sub("-", text.lower()).strip("-")
    return (slug[: NAME_CHARS_MAX - len(tail)].rstrip("-") or "function") + tail


def _environment(asked: Any) -> Any:
    if asked == "host" or isinstance(asked, Mapping):
        return cast("Any", asked)
    if isinstance(asked, str | Path):
        path = str(Path(asked).expanduser().absolute())
        return {"kind": "uv", "requirements_file" if path.endswith(".txt") else "lock": path}
    return {"kind": "uv", "requirements": list(asked)}


def _job_id(job: Any) -> str:
    """Of a job, a future, or what names one."""
    if isinstance(job, str):
        return job
    named_by = getattr(getattr(job, "job", job), "id", None)
    if not isinstance(named_by, str):
        detail = f"after takes jobs, futures, ids and names, not {type(job).__name__}"
        raise RefusalError(RefusalCode.INVALID, detail, field="after")
    return named_by
