"""What an instance leaves in its data directory for others to find it: its file, its tokens, its secret."""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from gigawatt.clock import entropy

TOKEN_BYTES = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    pid: int
    api_url: str
    gateway_url: str
    token_path: str
    ca_path: str = ""  # what clients believe it by; empty where the system knows it


def write_instance(data: Path, instance: Instance) -> None:
    write_private(data / "instance.json", json.dumps(asdict(instance), indent=2) + "\n")


def read_instance(data: Path) -> Instance | None:
    """The instance of a directory; None where none was started or the file is not one of ours."""
    try:
        return Instance(**json.loads((data / "instance.json").read_text()))
    except (OSError, ValueError, TypeError):
        return None


def forget_instance(data: Path) -> None:
    (data / "instance.json").unlink(missing_ok=True)


def secret(path: Path) -> bytes:
    """The secret in a file that only its owner can read, made at first use."""
    if not path.exists():
        write_private(path, entropy(TOKEN_BYTES).hex())
    return bytes.fromhex(path.read_text().strip())


def token(path: Path) -> str:
    """The API key in a file that only its owner can read, made at first use."""
    if not path.exists():
        write_private(path, f"gw_{entropy(TOKEN_BYTES).hex()}\n")
    return path.read_text().strip()


def write_private(path: Path, text: str) -> None:
    """Replace a file whole, readable by its owner alone from its first byte on."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    part = path.with_name(f"{path.name}.part")
    part.unlink(missing_ok=True)
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
