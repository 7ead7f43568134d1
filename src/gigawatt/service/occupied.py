"""What projects keep on the instance's own storage, by kind: what limits on storage are held against. Blocks.

Files of volumes and models have records among the artifacts, so their bytes are counted there, each content once in a
tenant, for the project that brought it first. Paths of nodes and buckets are not ours, and not counted.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice

from gigawatt.build.homes import Homes
from gigawatt.model.artifact import Artifact
from gigawatt.model.checkpoint import CheckpointState
from gigawatt.model.job import Job
from gigawatt.model.observation import LimitsSeen
from gigawatt.model.quota import NO_BOUNDS, NO_CAPS, Entitlement
from gigawatt.model.tenant import Project
from gigawatt.reconcile.caps import APART
from gigawatt.service.billing import every
from gigawatt.store.base import Query, Store

JOBS_MAX = 20_000  # whose checkpoints are counted: the newest
FILES_MAX = 200_000  # of the homes of one project


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """Bytes by kind."""

    artifacts: int = 0  # bundles, files, and what volumes and models consist of
    checkpoints: int = 0
    workspaces: int = 0

    @property
    def total(self) -> int:
        return self.artifacts + self.checkpoints + self.workspaces


NOTHING = Kept()


def kept_by_project(store: Store, homes: Homes | None, query: Query) -> dict[str, Kept]:
    """By project as tenant/name, of those that `query` names by tenant and project."""
    kept: dict[str, Kept] = {}
    for artifact in every(store, Artifact, query):
        if artifact.kind not in APART:
            name = f"{artifact.tenant}/{artifact.project}"
            before = kept.get(name, NOTHING)
            kept[name] = replace(before, artifacts=before.artifacts + artifact.size_bytes)
    for job in islice(every(store, Job, query), JOBS_MAX):
        if size := sum(_checkpoints(job)):
            name = f"{job.tenant}/{job.project}"
            before = kept.get(name, NOTHING)
            kept[name] = replace(before, checkpoints=before.checkpoints + size)
    if homes is not None:
        for project in every(store, Project, replace(query, project="")):
            if (not query.project or project.name == query.project) and (
                size := _size_of(str(homes.path(project.tenant, project.name, "")))
            ):
                kept[project.id] = replace(kept.get(project.id, NOTHING), workspaces=size)
    return kept


def limits_seen(
    store: Store, homes: Homes | None, *, owed: dict[str, tuple[int, ...]], at_ms: int
) -> LimitsSeen | None:
    """What is kept and used where anything is limited; None where nothing is."""
    limited = [each for each in every(store, Project) if limits_anything(each.entitlement)]
    if not limited:
        return None
    kept: dict[str, Kept] = {}
    for tenant in sorted(
        {each.tenant for each in limited if each.entitlement.caps.storage_bytes is not None}
    ):
        kept |= kept_by_project(store, homes, Query(tenant=tenant))
    return LimitsSeen(
        at_ms=at_ms,
        kept=tuple((name, kept[name].total) for name in sorted(kept)),
        used=tuple((each.id, owed[each.id]) for each in limited if each.id in owed),
    )


def limits_anything(terms: Entitlement) -> bool:
    """Whether there is a limit of anything."""
    return terms.caps != NO_CAPS or terms.limit != NO_BOUNDS


def _checkpoints(job: Job) -> Iterator[int]:
    for each in job.history:
        if each.state is not CheckpointState.INVALID:
            yield each.size_bytes


def _size_of(directory: str) -> int:
    """Bytes of the files below it that can be seen; links are not followed, and so many files are enough."""
    total = 0
    for entry in islice(_files(directory), FILES_MAX):
        total += entry
    return total


def _files(directory: str) -> Iterator[int]:
    waiting = [directory]
    while waiting:
        try:
            with os.scandir(waiting.pop()) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
                    elif entry.is_file(follow_symlinks=False):
                        yield entry.stat(follow_symlinks=False).st_size
        except OSError:  # it is gone, or nobody's business
            continue
