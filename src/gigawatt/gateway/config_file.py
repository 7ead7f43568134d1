"""The last configuration on disk, so that the gateway starts and serves without the control plane."""

import json
import os
from pathlib import Path

from gigawatt.gateway.config import Config, ConfigError, parse_config

MODE = 0o600


def load_config(path: Path) -> Config | None:
    """None where there is no file yet. Raises ConfigError for one that cannot be used, OSError for one that cannot be read."""
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        return None
    try:
        return parse_config(json.loads(text))
    except ConfigError:
        raise
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"not JSON: {error}") from error


def save_config(path: Path, body: bytes) -> None:
    """Replace the file as a whole, readable by its owner alone: a crash leaves the old one or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    beside = path.with_name(f"{path.name}.{os.getpid()}.new")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, MODE)
    with os.fdopen(descriptor, "wb") as file:
        file.write(body)
        file.flush()
        os.fsync(descriptor)
    beside.replace(path)
