"""`gw.data`: volumes and data sets of the instance that the environment names, from a laptop or from inside a rank."""

from pathlib import Path
from typing import TYPE_CHECKING

from gigawatt.sdk.function import default_client

if TYPE_CHECKING:
    from gigawatt.sdk.artifacts import Progress
    from gigawatt.sdk.volume_files import VolumeFiles
    from gigawatt.sdk.volume_views import VolumeDiffView, VolumeVersionView


def push(
    name: str, directory: "str | Path", *, message: str = "", progress: "Progress | None" = None
) -> "VolumeVersionView":
    """Make the files of a directory the next version of a volume, as `Volumes.push`."""
    return default_client().volumes.push(name, directory, message=message, progress=progress)


def pull(
    reference: str, directory: "str | Path", *, progress: "Progress | None" = None
) -> "VolumeVersionView":
    """Put a version's files below a directory, as `Volumes.pull`."""
    return default_client().volumes.pull(reference, directory, progress=progress)


def diff(before: str, after: str) -> "VolumeDiffView":
    """In what two versions, or a directory and a version, differ, as `Volumes.diff`."""
    return default_client().volumes.diff(before, after)


def open(reference: str) -> "VolumeFiles":  # noqa: A001 - what it is called where people open things
    """A version as a file system of fsspec that reads in ranges, as `Volumes.open`."""
    return default_client().volumes.open(reference)
