"""Small packages made on the spot, so that builds need no network."""

import base64
import hashlib
import io
import os
import tarfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

# The backend of `slow`: it says that it was started, then waits until someone opens the pipe to write.
BACKEND = """
import pathlib
GATE = pathlib.Path({gate!r})
def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    if GATE.exists():
        GATE.with_suffix(".reached").touch()
        with GATE.open() as pipe:
            pipe.read()
    raise SystemExit("slow cannot be built")
"""


def make_wheel(directory: Path, name: str, version: str, *, requires: tuple[str, ...] = ()) -> Path:
    """A wheel with a module `name` that knows its version, and a script `name` that prints it."""
    info = f"{name}-{version}.dist-info"
    needs = "".join(f"Requires-Dist: {each}\n" for each in requires)
    files = {
        f"{name}.py": f"VERSION = {version!r}\ndef main():\n    print(VERSION)\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needs}",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": f"[console_scripts]\n{name} = {name}:main\n",
    }
    listed = "".join(f"{path},sha256={_record_hash(text)},\n" for path, text in files.items())
    files[f"{info}/RECORD"] = f"{listed}{info}/RECORD,,\n"
    directory.mkdir(parents=True, exist_ok=True)
    wheel = directory / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for path, text in files.items():
            archive.writestr(zipfile.ZipInfo(path, (2020, 1, 1, 0, 0, 0)), text)
    return wheel


def make_index(directory: Path, *wheels: Path) -> str:
    """A `simple` index of these wheels, as a file URL; it has a page only for what it holds."""
    for wheel in wheels:
        page = directory / wheel.name.split("-", maxsplit=1)[0]
        page.mkdir(parents=True, exist_ok=True)
        link = f'<a href="{wheel.as_uri()}#sha256={sha256_of(wheel)}">{wheel.name}</a>\n'
        with (page / "index.html").open("a") as file:
            file.write(link)
    return directory.as_uri()


def sha256_of(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _record_hash(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


@dataclass(frozen=True, slots=True, kw_only=True)
class SlowPackage:
    """`slow` 1.0, an sdist whose build waits at a gate and then fails."""

    gate: Path

    @property
    def reached(self) -> bool:
        return self.gate.with_suffix(".reached").exists()

    def open_gate(self) -> None:
        """Let the build that waits go on, and no other wait."""
        writer = os.open(self.gate, os.O_WRONLY)
        self.gate.unlink()
        os.close(writer)

    @property
    def waited_at(self) -> bool:
        """Whether a live process waits at the gate."""
        try:
            os.close(os.open(self.gate, os.O_WRONLY | os.O_NONBLOCK))
        except OSError:  # nobody reads
            return False
        return True


def make_slow(directory: Path, gate: Path) -> SlowPackage:
    os.mkfifo(gate)
    files = {
        "PKG-INFO": "Metadata-Version: 2.2\nName: slow\nVersion: 1.0\n",
        "pyproject.toml": (
            '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
            '[project]\nname = "slow"\nversion = "1.0"\n'
        ),
        "backend.py": BACKEND.format(gate=str(gate)),
    }
    directory.mkdir(parents=True, exist_ok=True)
    with tarfile.open(directory / "slow-1.0.tar.gz", "w:gz") as archive:
        for name, text in files.items():
            info = tarfile.TarInfo(f"slow-1.0/{name}")
            info.size = len(text.encode())
            archive.addfile(info, io.BytesIO(text.encode()))
    return SlowPackage(gate=gate)
