"""A site as a person names it: `NODESxCORES`, `NODESxGPUS`, a TOML file of groups of nodes, or openb's list of them."""

import re
import tomllib
from pathlib import Path
from typing import Any

from gigawatt.model.node import NodeReport
from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.spec.faults import nearest
from gigawatt.spec.units import UnitError, size_bytes
from gigawatt.twin.site import KIND, NodeGroup, build_site
from gigawatt.twin.traces.openb import read_openb_site

LISTS = (".csv", ".csv.gz")  # of nodes, as openb has them
HINT = 'write NODESxCORES as "1024x8", with memory as "1024x8x16GiB", or name a TOML file of [[nodes]], or a CSV of nodes as openb has it'
MEMORY_PER_CORE_BYTES = 1_500_000 * 1024  # of nodes whose memory is not said
CORES_PER_GPU = 16
NODES_MAX = 1_000_000
DEVICES_MAX = 4096

_SIZE = re.compile(r"([0-9]{1,7})x([0-9]{1,4})(?:x([0-9.]+ ?[A-Za-z]*))?")
_LEVELS = (
    "nodes_per_domain",
    "nodes_per_rack",
    "nodes_per_leaf",
    "nodes_per_spine",
    "nodes_per_hall",
)
_FIELDS = ("nodes", "cores", "gpus", "gpu_kind", "memory", *_LEVELS)


def read_cluster(text: str, *, gpus: bool) -> tuple[NodeReport, ...]:
    """`gpus`: the second number of a size counts GPUs, not cores. Raises RefusalError."""
    size = _SIZE.fullmatch(text)
    if size is None:
        file = Path(text)
        return read_openb_site(file) if file.name.endswith(LISTS) else _from_file(file)
    nodes, devices = int(size[1]), int(size[2])
    if not (0 < nodes <= NODES_MAX and 0 < devices <= DEVICES_MAX):
        raise _refused(f"{text} is not 1 to {NODES_MAX} nodes of 1 to {DEVICES_MAX}")
    cores = devices * CORES_PER_GPU if gpus else devices
    try:
        memory = size_bytes(size[3]) if size[3] else cores * MEMORY_PER_CORE_BYTES
    except UnitError as error:
        raise _refused(f"memory of {text} {error.detail}") from error
    group = NodeGroup(nodes=nodes, cores=cores, gpus=devices if gpus else 0, memory_bytes=memory)
    return build_site(group)


def groups_of(tables: Any, where: str) -> tuple[NodeGroup, ...]:
    """Groups of nodes from a document's `[[nodes]]`. Raises RefusalError naming `where` and the field."""
    if not isinstance(tables, list) or not tables:
        raise _refused(f"{where}: it has no [[nodes]]", field="nodes")
    groups: list[NodeGroup] = []
    for index, table in enumerate(tables):  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType] - TOML
        groups.append(_group(table, f"{where}: nodes[{index}]"))
    if sum(group.nodes for group in groups) > NODES_MAX:
        raise _refused(f"{where}: more than {NODES_MAX} nodes", field="nodes")
    return tuple(groups)


def _from_file(file: Path) -> tuple[NodeReport, ...]:
    try:
        document = tomllib.loads(file.read_text(encoding="utf-8"))
    except (FileNotFoundError, IsADirectoryError) as error:
        raise _refused(f"{file} is neither a size nor a file") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise _refused(f"{file} is not TOML: {error}") from error
    unknown = [name for name in document if name != "nodes"]
    if unknown:
        hint = nearest(unknown[0], ("nodes",))
        raise _refused(f"{file}: {unknown[0]} is not a known field", field=unknown[0], hint=hint)
    return build_site(*groups_of(document.get("nodes"), str(file)))


def _group(table: Any, where: str) -> NodeGroup:
    if not isinstance(table, dict):
        raise _refused(f"{where} must be a table", field="nodes")
    values: dict[str, Any] = dict(table)  # pyright: ignore[reportUnknownArgumentType] - TOML
    for name in values:
        if name not in _FIELDS:
            hint = nearest(name, _FIELDS)
            raise _refused(f"{where}.{name} is not a known field", field=name, hint=hint)
    cores = _whole(values, "cores", where, least=1, most=DEVICES_MAX)
    try:
        memory = size_bytes(values.get("memory", cores * MEMORY_PER_CORE_BYTES))
    except UnitError as error:
        detail = f"{where}.memory {error.detail}"
        raise _refused(detail, field="memory", hint=error.hint) from error
    kind = values.get("gpu_kind", KIND)
    if not isinstance(kind, str) or not kind:
        raise _refused(f"{where}.gpu_kind must be text, got {kind!r}", field="gpu_kind")
    return NodeGroup(
        nodes=_whole(values, "nodes", where, least=1, most=NODES_MAX),
        cores=cores,
        gpus=_whole(values, "gpus", where, least=0, most=DEVICES_MAX),
        gpu_kind=kind,
        memory_bytes=memory,
        **{level: _whole(values, level, where, least=0, most=NODES_MAX) for level in _LEVELS},
    )


def _whole(values: dict[str, Any], name: str, where: str, *, least: int, most: int) -> int:
    value = values.get(name, 0)
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        missing = "is missing" if name not in values else f"is {value!r}"
        hint = f"allowed: a whole number from {least} to {most}"
        raise _refused(f"{where}.{name} {missing}", field=name, hint=hint)
    return value


def _refused(detail: str, *, field: str = "cluster", hint: str = HINT) -> RefusalError:
    return RefusalError(RefusalCode.INVALID, detail, field=field, hint=hint)
