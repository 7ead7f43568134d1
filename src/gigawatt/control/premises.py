"""The files of this instance that may be removed: what there is of them, and removing one thing of them."""

import glob
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from gigawatt.build.artifacts import ArtifactStore
from gigawatt.build.digest import PREFIX
from gigawatt.build.environments import EnvironmentBuilder
from gigawatt.engine.local import aside, remains
from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.model.retention import Kind
from gigawatt.service.ports import Found

BUNDLES, TREES = "bundles/", "trees/"  # the two sorts of caches, as their ids begin


class LocalPremises:
    """Implements `service.ports.Premises` on a data directory. Calls block."""

    def __init__(
        self, data: Path, *, artifacts: ArtifactStore, builder: EnvironmentBuilder
    ) -> None:
        self._data = data
        self._work = data / "work"
        self._bundles = data / "bundles"
        self._discarded = data / "discarded"
        self._artifacts = artifacts
        self._builder = builder

    def survey(self) -> tuple[Found, ...]:
        """Everything that may be removed, and that no live attempt has open."""
        artifacts = self._artifacts
        bundles = sorted(self._bundles.glob("[0-9a-f]" * 64))
        return (
            *(_found(Kind.LOGS, *each) for each in remains.logs_of(self._data).items()),
            *_each(Kind.CHECKPOINTS, remains.work_of(self._work).items()),
            *_each(Kind.ENVIRONMENTS, self._builder.places().items()),
            *_each(Kind.CACHES, ((BUNDLES + path.name, path) for path in bundles)),
            *_each(
                Kind.CACHES, ((TREES + k, path) for k, path in artifacts.materialised().items())
            ),
        )

    def contents(self) -> tuple[Found, ...]:
        """Bytes of artifacts, here and where they are kept beyond this disk. Raises RefusalError."""
        elsewhere = self._artifacts.elsewhere()
        here = {
            found.id: found for found in _each(Kind.CONTENTS, self._artifacts.contents().items())
        }
        there = {
            digest: Found(
                kind=Kind.CONTENTS,
                id=digest,
                size_bytes=each.size_bytes,
                used_ms=max(each.modified_ms, here[digest].used_ms if digest in here else 0),
            )
            for digest, each in elsewhere.items()
        }
        return tuple({**here, **there}.values())

    def files_of(self, digest: str) -> tuple[str, ...]:
        """Digests of the files that a stored tree names; none where it is none. Raises RefusalError."""
        try:
            manifest = self._artifacts.tree(digest)
        except RefusalError as refusal:
            if refusal.code is not RefusalCode.INVALID:
                raise
            return ()
        return tuple(dict.fromkeys(PREFIX + file.sha256 for file in manifest.files))

    def discard(
        self, kind: Kind, id: str, *, unused_since_ms: int, unless: Callable[[], bool]
    ) -> None:
        """Remove one thing, unless it was used since then or `unless` says no. Raises OSError, RefusalError."""
        if kind is Kind.LOGS:
            remains.discard_logs(self._data, id, self._discarded, unused_since_ms=unused_since_ms)
        elif kind is Kind.ENVIRONMENTS:
            self._builder.remove(id, unless=unless)
        elif kind is Kind.CONTENTS:
            if not unless():
                self._artifacts.remove(id, aside=self._discarded, unused_since_ms=unused_since_ms)
        elif not unless():
            for path in self._places(kind, id):
                aside.discard(path, self._discarded, unused_since_ms=unused_since_ms)

    def sweep(self) -> None:
        """Delete what was set aside by a process that was killed then. Raises OSError."""
        aside.sweep(self._discarded)

    def _places(self, kind: Kind, id: str) -> tuple[Path, ...]:
        if kind is Kind.CHECKPOINTS:
            return tuple(self._work.glob(f"*/*/{glob.escape(id)}"))
        assert kind is Kind.CACHES, kind
        if id.startswith(BUNDLES):
            return (self._bundles / id.removeprefix(BUNDLES),)
        return (self._artifacts.materialised_at(id.removeprefix(TREES)),)


def _each(kind: Kind, places: Iterable[tuple[str, Path]]) -> Iterator[Found]:
    return (_found(kind, name, (path,)) for name, path in places)


def _found(kind: Kind, id: str, paths: tuple[Path, ...]) -> Found:
    return Found(
        kind=kind,
        id=id,
        size_bytes=sum(map(aside.size_bytes, paths)),
        used_ms=max(map(aside.modified_ms, paths)),
    )
