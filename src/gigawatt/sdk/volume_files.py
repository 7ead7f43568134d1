"""A version as a read-only file system of fsspec: what is read of a file is fetched by ranges, nothing is downloaded whole.

`fsspec.open("gw://imagenet:3/train/0001.tar")` finds it by its protocol, so that libraries on fsspec (pandas, Arrow,
datasets, webdataset) read data sets by URL. Needs fsspec: the extra `data`.
"""

from typing import TYPE_CHECKING, Any, cast

from fsspec.spec import AbstractBufferedFile, AbstractFileSystem

if TYPE_CHECKING:
    from gigawatt.sdk.volumes import Volumes

PROTOCOL = "gw"
BLOCK_BYTES = 4 << 20  # read ahead of a sequential reader


class VolumeFiles(AbstractFileSystem):
    """Files of `volume` ("imagenet:3"); without one, paths begin with it. Written to, it refuses."""

    protocol = PROTOCOL
    root_marker = ""
    cachable = False  # it holds a connection

    def __init__(self, volume: str = "", volumes: "Volumes | None" = None, **options: Any) -> None:
        """`volumes` is a client's; without one, that of the instance that the environment names."""
        super().__init__(**options)  # pyright: ignore[reportUnknownMemberType] - fsspec has no types
        if volumes is None:
            from gigawatt.sdk.function import default_client

            volumes = default_client().volumes
        self._volumes = volumes
        self._only = self._pinned(volume) if volume else ""
        self._pins: dict[str, str] = {}
        self._trees: dict[str, dict[str, dict[str, Any]]] = {}

    def ls(self, path: str, detail: bool = True, **_: Any) -> list[Any]:  # noqa: FBT001, FBT002 - fsspec's
        """Files and directories right below a directory, or the one file."""
        reference, inside = self._split(path)
        entries = self._entries(reference)
        if inside in entries and entries[inside]["type"] == "file":
            found = [entries[inside]]
        else:
            prefix = f"{inside}/" if inside else ""
            found = [
                entry
                for name, entry in entries.items()
                if name.startswith(prefix) and name != inside and "/" not in name[len(prefix) :]
            ]
            if not found and inside not in entries:
                raise FileNotFoundError(path)
        told = [{**each, "name": self._outer(reference, each["name"])} for each in found]
        return told if detail else [each["name"] for each in told]

    def info(self, path: str, **_: Any) -> dict[str, Any]:
        """Name, size and type of one."""
        reference, inside = self._split(path)
        if not inside:
            return {"name": self._outer(reference, ""), "size": 0, "type": "directory"}
        entry = self._entries(reference).get(inside)
        if entry is None:
            raise FileNotFoundError(path)
        return {**entry, "name": self._outer(reference, inside)}

    def cat_file(
        self, path: str, start: int | None = None, end: int | None = None, **_: Any
    ) -> bytes:
        """Bytes of a file, from `start` to `end`; negative ones count from its end."""
        reference, inside = self._split(path)
        size = int(self.info(path)["size"])
        first = _bound(start or 0, size)
        last = _bound(size if end is None else end, size)
        return self._volumes.read_range(reference, inside, first, last)

    def _open(
        self,
        path: str,
        mode: str = "rb",
        block_size: int | None = None,
        autocommit: bool = True,  # noqa: FBT001, FBT002 - fsspec's
        cache_options: dict[str, Any] | None = None,
        **options: Any,
    ) -> "VolumeFile":
        if mode != "rb":
            raise PermissionError(f"{path}: a version never changes; push a new one")
        size = block_size or BLOCK_BYTES
        kind = cast("Any", VolumeFile)  # fsspec has no types
        return kind(self, path, mode, size, cache_options=cache_options, **options)

    def _entries(self, reference: str) -> dict[str, dict[str, Any]]:
        """Files and the directories that they make, by path."""
        known = self._trees.get(reference)
        if known is None:
            known = dict[str, dict[str, Any]]()
            for file in self._volumes.files(reference):
                parts = file["path"].split("/")
                for depth in range(1, len(parts)):
                    name = "/".join(parts[:depth])
                    known.setdefault(name, {"name": name, "size": 0, "type": "directory"})
                known[file["path"]] = {
                    "name": file["path"],
                    "size": file["size_bytes"],
                    "type": "file",
                    "sha256": file["sha256"],
                    "ETag": file["etag"],
                }
            self._trees[reference] = known
        return known

    def _split(self, path: str) -> tuple[str, str]:
        inside = path.removeprefix(f"{PROTOCOL}://").strip("/")
        if self._only:
            return self._only, inside
        reference, _, inside = inside.partition("/")
        if reference not in self._pins:
            self._pins[reference] = self._pinned(reference)
        return self._pins[reference], inside

    def _outer(self, reference: str, inside: str) -> str:
        return inside if self._only else f"{reference}/{inside}".rstrip("/")

    def _pinned(self, reference: str) -> str:
        """With its number: `latest` must not change while it is read."""
        name = reference.partition(":")[0]
        return f"{name}:{self._volumes.version(reference)['number']}"


class VolumeFile(AbstractBufferedFile):
    """One file, read ahead in blocks."""

    def _fetch_range(self, start: int, end: int) -> bytes:
        return cast("VolumeFiles", self.fs).cat_file(cast("str", self.path), start, end)


def _bound(place: int, size: int) -> int:
    return max(0, min(place + size if place < 0 else place, size))
