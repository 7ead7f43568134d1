"""What a desk is told by its launch, read once."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

TOKEN = "GIGAWATT_DESK"  # noqa: S105 - the name of a secret, which is in a file


class Facts(NamedTuple):
    program: str  # jupyter, vscode or shell
    base: str  # the path that everything is below, with a slash at both ends
    home: Path
    bundle: str  # digest of what is unpacked in the working directory; empty for none
    tools: str  # the environment that JupyterLab runs in
    port: int
    hosts: tuple[str, ...]
    token: str
    devices: tuple[str, ...]  # uuids of GPUs that are its own as a whole
    volumes: tuple[str, ...] = ()  # where they are below the working directory


def read_facts(environ: Mapping[str, str] = os.environ) -> Facts:
    """Raises KeyError or OSError where this is no workspace's launch."""
    whole = environ.get("GIGAWATT_WORKSPACE_GPUS", "") == "whole"
    devices = environ.get("CUDA_VISIBLE_DEVICES", "") if whole else ""
    return Facts(
        program=environ["GIGAWATT_WORKSPACE"],
        base=environ["GIGAWATT_WORKSPACE_PATH"],
        home=Path(environ["HOME"]),
        bundle=environ.get("GIGAWATT_WORKSPACE_BUNDLE", ""),
        volumes=tuple(json.loads(environ.get("GIGAWATT_WORKSPACE_VOLUMES", "[]"))),
        tools=environ.get("GIGAWATT_WORKSPACE_TOOLS", ""),
        port=int(environ["PORT"]),
        hosts=tuple(sorted({"127.0.0.1", environ.get("MASTER_ADDR") or "127.0.0.1"})),
        token=Path(environ[f"{TOKEN}_FILE"]).read_text(),
        devices=tuple(each for each in devices.split(",") if each),
    )


def code_directory(facts: Facts, work: Path) -> Path:
    """Where a person's code is in the home: there since the first start, and then theirs to change.

    Another bundle under the same home goes beside it, under its digest: nothing of theirs is written over.
    """
    if not facts.bundle:
        return facts.home
    name = facts.bundle.partition(":")[2][:12]
    noted = facts.home / ".gigawatt" / "code"
    for place in (facts.home / "code", facts.home / f"code-{name}"):
        if not place.exists():
            return _unpacked(work, place, noted, facts)
        if noted.exists() and f"{place.name} {facts.bundle}" in noted.read_text().splitlines():
            return place
    return facts.home / f"code-{name}"


def _unpacked(work: Path, place: Path, noted: Path, facts: Facts) -> Path:
    import shutil

    part = place.with_name(f".{place.name}.part")
    if part.exists():
        shutil.rmtree(part)  # of a start that was cut short
    data = {
        str(work / each) for each in facts.volumes
    }  # links, which are another node's at another start

    def left_out(directory: str, names: list[str]) -> list[str]:
        return [name for name in names if str(Path(directory, name)) in data]

    shutil.copytree(work, part, symlinks=True, ignore=left_out)
    part.rename(place)
    noted.parent.mkdir(mode=0o700, exist_ok=True)
    with noted.open("a") as file:
        file.write(f"{place.name} {facts.bundle}\n")
    return place
