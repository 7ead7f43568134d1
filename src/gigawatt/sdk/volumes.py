"""Volumes and data sets: pushed, pulled, listed, compared, read in ranges."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import quote

from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.sdk.artifacts import Progress, TreeFile
from gigawatt.sdk.errors import ApiError
from gigawatt.sdk.paging import Listing
from gigawatt.sdk.transport import NOT_FOUND, Transport
from gigawatt.sdk.views import Page
from gigawatt.sdk.volume_views import (
    VolumeChangeView,
    VolumeDiffView,
    VolumeFileView,
    VolumeVersionView,
    VolumeView,
)

if TYPE_CHECKING:
    from gigawatt.sdk.volume_files import VolumeFiles

LATEST = "latest"
S3 = "s3"
FILES_PAGE = 10_000


class Volumes:
    """`client.volumes`. References are "name" (the newest version) or "name:3"."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def create(self, name: str, *, quota: "int | str" = 0) -> VolumeView:
        """A managed volume; `quota` in bytes or as "1TiB". Raises ApiError, UnreachableError."""
        body: dict[str, Any] = {"name": name}
        if quota:
            body["quota"] = quota
        return self._write("POST", "/v1/volumes", body)

    def create_path(self, name: str, path: str) -> VolumeView:
        """A volume that is a directory of the nodes, below a root that the operator allows.

        Raises ApiError, UnreachableError.
        """
        return self._write("POST", f"{_path(name)}/path", {"path": path})

    def create_s3(self, name: str, url: str, *, secret: str = "") -> VolumeView:
        """A volume of the objects below "s3://bucket/prefix?endpoint=URL&region=NAME", which are its first version.

        `secret` is the name of the project's secret that opens it (`ACCESS_KEY:SECRET_KEY`); without one, a bucket that
        anybody may read. Raises ApiError, UnreachableError.
        """
        return self._write("POST", f"{_path(name)}/s3", {"url": url, "secret": secret})

    def refresh(self, name: str) -> VolumeVersionView:
        """What the bucket holds now as the next version; what the newest has already makes none.

        Raises ApiError, UnreachableError.
        """
        return cast("VolumeVersionView", self._write("POST", f"{_path(name)}/refresh", {}))

    def push(
        self,
        name: str,
        directory: "str | Path",
        *,
        message: str = "",
        create: bool = True,
        rehash: bool = False,
        progress: Progress | None = None,
    ) -> VolumeVersionView:
        """Make the files of a directory, or one file, the next version of `name`; only what the store lacks is sent.

        The same data as the newest version makes no new one. The volume is created if it is not there, unless `create`
        is false. `rehash` reads files again whose digests are remembered from an earlier push.

        Raises:
            RefusalError: the directory is missing, empty, or holds something that is not a plain file.
            ApiError: a quota is in the way; nothing was sent then.
            UnreachableError: what was sent stays, and the next push goes on from there.
        """
        from gigawatt.sdk.pushing import push_tree

        if create:
            self._ensure(name)
        sent = push_tree(self._transport, name, Path(directory), rehash=rehash, progress=progress)
        body = {"digest": sent.digest, "message": message}
        return cast("VolumeVersionView", self._write("POST", f"{_path(name)}/versions", body))

    def pull(
        self,
        reference: str,
        directory: "str | Path",
        *,
        progress: Progress | None = None,
        say: Callable[[str], None] = lambda _: None,
    ) -> VolumeVersionView:
        """Put a version's files below `directory`, every byte checked; what an interrupted pull left is taken up.
        `say` is told where S3 has only sizes to check files by.

        Raises RefusalError (another file is in the way), ApiError, UnreachableError.
        """
        version = self.version(reference)
        if self.find(split_reference(reference)[0])["kind"] == S3:
            untold = self._pull_listed(version["ref"], Path(directory), progress)
            if untold:
                say(
                    f"{untold} of its files could be checked by size alone: their ETags are not the MD5 of their bytes"
                )
            return version
        from gigawatt.sdk.fetch import fetch_tree

        fetch_tree(self._transport, version["digest"], Path(directory), progress=progress)
        return version

    def find(self, name: str) -> VolumeView:
        """One volume. Raises ApiError, UnreachableError."""
        return cast("VolumeView", self._transport.read(_path(name), self._transport.place))

    def version(self, reference: str) -> VolumeVersionView:
        """The version that "name" or "name:3" means. Raises ApiError, UnreachableError."""
        path = _version_path(reference)
        return cast("VolumeVersionView", self._transport.read(path, self._transport.place))

    def versions(self, name: str) -> Listing[VolumeVersionView]:
        """Versions of a volume, newest first. Raises ApiError, UnreachableError."""

        def page(**filters: Any) -> Page[VolumeVersionView]:
            params = {**self._transport.place, **filters}
            found = self._transport.read(f"{_path(name)}/versions", params)
            return cast("Page[VolumeVersionView]", found)

        return Listing(page, {})

    def files(self, reference: str, prefix: str = "") -> Iterator[VolumeFileView]:
        """Files of a version by path, those below `prefix`. Raises ApiError, UnreachableError."""
        version = self.version(reference)  # so that all pages are of one
        name = reference.partition(":")[0]
        path = f"{_path(name)}/versions/{version['number']}/files"
        params = {**self._transport.place, "prefix": prefix, "limit": FILES_PAGE}
        cursor = ""
        while True:
            found = self._transport.read(path, {**params, "cursor": cursor})
            yield from cast("Page[VolumeFileView]", found)["items"]
            cursor = found["next"]
            if not cursor:
                return

    def diff(self, before: str, after: str) -> VolumeDiffView:
        """In what `after` differs from `before`: each a version, or the path of a directory (with a slash in it).

        Raises RefusalError, ApiError, UnreachableError.
        """
        sides = (before, after)
        if not any(map(is_directory, sides)):
            (name, _), (other, number) = (split_reference(side) for side in sides)
            if name == other:
                path = f"{_version_path(before)}/diff"
                params = {**self._transport.place, "to": number or LATEST}
                return cast("VolumeDiffView", self._transport.read(path, params))
        return compared(before, self._tree(before), after, self._tree(after))

    def set_quota(self, name: str, quota: "int | str") -> VolumeView:
        """What its versions may hold together; 0 is without limit. Raises ApiError, UnreachableError."""
        return self._write("PUT", f"{_path(name)}/quota", {"quota": quota})

    def delete(self, reference: str) -> None:
        """A version "name:3", or a whole volume "name". Raises ApiError (a job mounts it), UnreachableError."""
        name, number = split_reference(reference)
        path = _version_path(reference) if number else _path(name)
        self._transport.write("DELETE", path, params=self._transport.place)

    def open(self, reference: str) -> "VolumeFiles":
        """A version as a file system of fsspec, which reads in ranges over the API. Needs the extra `data`.

        Raises ApiError, UnreachableError, ModuleNotFoundError.
        """
        from gigawatt.sdk.volume_files import VolumeFiles

        return VolumeFiles(volume=reference, volumes=self)

    def read_range(self, reference: str, path: str, start: int, end: int) -> bytes:
        """Bytes `start` to `end` (exclusive) of one file of a version. Raises ApiError, UnreachableError."""
        if end <= start:
            return b""
        headers = {"Range": f"bytes={start}-{end - 1}"}
        params = {**self._transport.place, "path": path}
        return self._transport.read_bytes(f"{_version_path(reference)}/file", params, headers)

    def page(self, **filters: Any) -> Page[VolumeView]:
        """One page; filters as for jobs. Raises ApiError, UnreachableError."""
        found = self._transport.read("/v1/volumes", {**self._transport.place, **filters})
        return cast("Page[VolumeView]", found)

    def list(self, **filters: Any) -> Listing[VolumeView]:
        """Every volume that the filters let through. Raises ApiError, UnreachableError."""
        return Listing(self.page, filters)

    def _pull_listed(self, ref: str, directory: Path, progress: Progress | None) -> int:
        """How many files their ETags tell nothing of."""
        from gigawatt.sdk.volume_pull import pull_listed

        def read(path: str, start: int, end: int) -> bytes:
            return self.read_range(ref, path, start, end)

        return pull_listed(self.files(ref), read, directory, progress=progress)

    def _ensure(self, name: str) -> None:
        try:
            self.find(name)
        except ApiError as error:
            if error.problem.status != NOT_FOUND:
                raise
            self.create(name)

    def _tree(self, side: str) -> dict[str, TreeFile]:
        if is_directory(side):
            from gigawatt.sdk.hashing import hashed_files, memory_directory

            files = hashed_files(Path(side).expanduser(), memory=memory_directory())
            return {each.path: each for each in files}
        try:
            files = list(self.files(side))
        except ApiError as error:
            if error.problem.status != NOT_FOUND or not Path(side).is_dir():
                raise
            detail = f"there is no volume {side}"
            hint = f"for the directory of that name write ./{side}"
            raise RefusalError(RefusalCode.NOT_FOUND, detail, field="volume", hint=hint) from error
        if any(each["etag"] for each in files):
            detail = f"{side} is of an S3 volume, whose files are compared with one another alone"
            hint = f"compare two of its versions, or pull it: gw data pull {side} DIR"
            raise RefusalError(RefusalCode.UNSUPPORTED, detail, field="volume", hint=hint)
        return {
            each["path"]: TreeFile(
                path=each["path"],
                size=each["size_bytes"],
                sha256=each["sha256"],
                executable=each["executable"],
            )
            for each in files
        }

    def _write(self, method: str, path: str, body: Any) -> Any:
        return self._transport.write(method, path, body, params=self._transport.place)


def is_directory(side: str) -> bool:
    """Whether a side of a comparison names a place on this machine: a path with a slash, `.` or `~`."""
    return "/" in side or side in {".", "..", "~"}


def split_reference(reference: str) -> tuple[str, str]:
    """Name and number: of "imagenet:3" they are "imagenet" and "3", of "imagenet" the number is "". Raises RefusalError."""
    name, colon, number = reference.partition(":")
    if not name or (colon and not number):
        detail = f"{reference!r} is neither NAME nor NAME:VERSION"
        raise RefusalError(RefusalCode.INVALID, detail, field="volume")
    return name, number


def compared(
    before: str, old: dict[str, TreeFile], after: str, new: dict[str, TreeFile]
) -> VolumeDiffView:
    """In what `new` differs from `old`, as the API tells it."""
    both = sorted(old.keys() & new.keys())
    changed = [path for path in both if old[path] != new[path]]
    return {
        "before": before,
        "after": after,
        "added": [_change(path, None, new[path]) for path in sorted(new.keys() - old.keys())],
        "removed": [_change(path, old[path], None) for path in sorted(old.keys() - new.keys())],
        "changed": [_change(path, old[path], new[path]) for path in changed],
        "same": len(both) - len(changed),
        "cut": False,
    }


def _change(path: str, before: TreeFile | None, after: TreeFile | None) -> VolumeChangeView:
    return {
        "path": path,
        "before_bytes": before.size if before else None,
        "after_bytes": after.size if after else None,
    }


def _path(name: str) -> str:
    return f"/v1/volumes/{quote(name, safe='')}"


def _version_path(reference: str) -> str:
    name, number = split_reference(reference)
    return f"{_path(name)}/versions/{quote(number or LATEST, safe='')}"
