"""Volumes in the view of an attempt's ranks: links from its own directory to where the data is on this machine."""

from __future__ import annotations

from pathlib import Path

from gigawatt.engine.supervisor.spec import VolumeSpec
from gigawatt.engine.supervisor.wire import RequestError


def place(volumes: tuple[VolumeSpec, ...], work: Path) -> None:
    """Link every volume below `work`. Raises RequestError, where nothing is there to link to or something is in the way."""
    for volume in volumes:
        source = Path(volume.source)
        if not source.is_dir():
            raise RequestError("machine", f"volume {volume.name} is not there: {source}")
        if source.resolve() != source:
            detail = f"volume {volume.name}: {source} passes a link by now, which is not followed"
            raise RequestError("user", detail)
        target = work / volume.path
        _make_parents(work, target.parent, volume)
        try:
            target.symlink_to(source, target_is_directory=True)
        except FileExistsError:
            detail = f"volume {volume.name}: the bundle already has {volume.path}"
            raise RequestError("user", detail) from None


def _make_parents(work: Path, parent: Path, volume: VolumeSpec) -> None:
    """Through no link: what a bundle brings along must not decide where in the machine we write."""
    here = work
    for part in parent.relative_to(work).parts:
        here /= part
        if here.is_symlink() or (here.exists() and not here.is_dir()):
            detail = f"volume {volume.name}: {here.relative_to(work)} in the bundle is in the way of {volume.path}"
            raise RequestError("user", detail)
        here.mkdir(exist_ok=True)
