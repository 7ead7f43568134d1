"""Python projects inside a bundle: what their files are known by, so that a changed package is another environment."""

import gzip
import hashlib
import tarfile
import zlib
from pathlib import Path

from gigawatt.build.digest import PREFIX
from gigawatt.model.refusal import RefusalCode, RefusalError

FILE_BYTES_MAX = 64 << 20  # of one file of a package: it is read at once
PROJECT_FILES = frozenset({"pyproject.toml", "setup.py"})


def package_digest(archive: Path, path: str) -> str:
    """`sha256:…` of the names, contents and executable bits of what `archive` holds below `path`. Blocks.

    Raises RefusalError where there is no Python project, or a symlink, whose target could change unseen.
    """
    lines: list[str] = []
    found: set[str] = set()
    try:
        with tarfile.open(archive, "r:gz") as tar:
            for member in tar:
                name = _below(member.name, path)
                if not name or member.isdir():
                    continue
                source = tar.extractfile(member) if member.isreg() else None
                if source is None:
                    raise _refusal(path, f"{name} is a symlink", "put the file itself there")
                if member.size > FILE_BYTES_MAX:
                    raise _refusal(
                        path, f"{name} is over {FILE_BYTES_MAX >> 20} MiB", "leave it out"
                    )
                content = hashlib.sha256(source.read()).hexdigest()
                lines.append(f"{name}\0{content}\0{bool(member.mode & 0o111)}")
                found.add(name)
    except (tarfile.TarError, gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise RefusalError(
            RefusalCode.INVALID, f"the bundle cannot be read ({error})", field="bundle"
        ) from error
    if not found & PROJECT_FILES:
        hint = "name a directory of the bundle with a pyproject.toml; .gitignore leaves files out"
        raise _refusal(path, "the bundle has no Python project there", hint)
    return PREFIX + hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()


def _below(name: str, path: str) -> str:
    """A member's name below `path`, empty where it is not there."""
    parts = [part for part in name.split("/") if part not in {"", "."}]
    root = [part for part in path.split("/") if part not in {"", "."}]
    return "/".join(parts[len(root) :]) if parts[: len(root)] == root else ""


def _refusal(path: str, problem: str, hint: str) -> RefusalError:
    detail = f"local package {path}: {problem}"
    return RefusalError(RefusalCode.INVALID, detail, field="environment.packages", hint=hint)
