"""Code bundles on this machine: unpacked once from the artifact store, and copied from there by supervisors."""

from pathlib import Path
from typing import Protocol

from gigawatt.engine.local.aside import mark_used
from gigawatt.model.refusal import RefusalCode, RefusalError


class Unpack(Protocol):
    """Unpacks an archive of this digest into a directory that is then whole, once also when many ask.

    Raises RefusalError (digest-mismatch, disk-full, ...).
    """

    def __call__(self, archive: Path, target: Path, *, digest: str) -> Path: ...


class Bundles:
    def __init__(self, data: Path, unpack: Unpack | None) -> None:
        self._data = data
        self._unpack = unpack

    def template(self, digest: str) -> Path:
        """Where this bundle is, or will be, unpacked."""
        return self._data / "bundles" / _hex(digest)

    def prepare(self, digest: str) -> Path:
        """Have it there. Raises RefusalError, also for a digest that the store does not have."""
        target = self.template(digest)
        if mark_used(target):
            return target
        name = _hex(digest)
        archive = self._data / "artifacts" / "sha256" / name[:2] / name
        if not archive.exists():
            raise RefusalError(
                RefusalCode.NOT_FOUND,
                f"there is no bundle {digest}",
                field="bundle",
                hint="send it first",
            )
        if self._unpack is None:
            raise RefusalError(RefusalCode.UNSUPPORTED, "this engine cannot unpack bundles")
        target.parent.mkdir(parents=True, exist_ok=True)
        return self._unpack(archive, target, digest=digest)


def _hex(digest: str) -> str:
    name = digest.removeprefix("sha256:")
    if len(name) != 64 or not set(name) <= set("0123456789abcdef"):
        raise RefusalError(RefusalCode.INVALID, f"not a digest: {digest!r}", field="bundle")
    return name
