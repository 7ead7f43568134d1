"""What a directory of model files is: its format, and whether its parts agree with each other.

Known are Hugging Face's layout (config.json, safetensors in one file or in shards with an index, tokenizer files), single
safetensors files, and GGUF.
"""

import json
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Any, cast

from gigawatt.model.artifact import Weights
from gigawatt.weights import gguf, safetensors
from gigawatt.weights.pickles import pickle_in
from gigawatt.weights.source import Source, damaged

CONFIG = "config.json"
INDEX_SUFFIX = ".safetensors.index.json"
CHECKED_AS_JSON = frozenset(
    {CONFIG, "generation_config.json", "tokenizer.json", "tokenizer_config.json"}
)
JSON_BYTES_MAX = 64 * 1024 * 1024
FILES_MAX = 4_096
ARCHITECTURE_CHARS_MAX = 200
SHARD = re.compile(r"(.*)-(\d{5})-of-(\d{5})\.safetensors")


def inspect(sources: Sequence[Source]) -> Weights:
    """Raises RefusalError naming the file and the numbers that disagree; OSError where one cannot be read."""
    if len(sources) > FILES_MAX:
        raise damaged("this", f"has {len(sources)} files; at most {FILES_MAX} are looked at", "-")
    by_name = {source.name: source for source in sorted(sources, key=lambda each: each.name)}
    documents = {
        name: _document(source) for name, source in by_name.items() if name in CHECKED_AS_JSON
    }
    tensors, formats, architecture = Counter[str](), set[str](), ""
    headers: dict[str, safetensors.SafetensorsHeader] = {}
    pickles: list[str] = []
    for name, source in by_name.items():
        kind = _kind(source)
        if kind == "safetensors":
            headers[name] = safetensors.read_header(source)
            for each in headers[name].tensors:
                tensors[each.dtype] += each.elements
        elif kind == "gguf":
            header = gguf.read_header(source)
            architecture = architecture or str(header.metadata.get("general.architecture", ""))
            for tensor in header.tensors:
                tensors[tensor.dtype] += tensor.elements
        elif kind == "pickle":
            pickles.append(name)
        formats.add(kind)
    _check_shards(by_name, headers)
    return Weights(
        format=next(
            (each for each in ("safetensors", "gguf", "pickle") if each in formats), "files"
        ),
        parameters=tensors.total(),
        dtypes=tuple(sorted(tensors.items(), key=lambda each: (-each[1], each[0]))),
        architecture=(_architecture(documents.get(CONFIG)) or architecture)[
            :ARCHITECTURE_CHARS_MAX
        ],
        pickles=tuple(pickles),
    )


def _kind(source: Source) -> str:
    suffix = PurePosixPath(source.name).suffix.lower()
    if suffix in {".safetensors", ".gguf"}:
        return suffix[1:]
    with source.open() as file:
        if file.read(4) == gguf.MAGIC:
            return "gguf"
    return "pickle" if pickle_in(source) else "other"


def _document(source: Source) -> object:
    if source.size_bytes > JSON_BYTES_MAX:
        detail = f"has {source.size_bytes} bytes; at most {JSON_BYTES_MAX} are read"
        raise damaged(source.name, detail, "it is no such file as its name says")
    with source.open() as file:
        text = file.read(JSON_BYTES_MAX)
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise damaged(source.name, f"is not JSON ({str(error)[:100]})") from error


def _architecture(config: object) -> str:
    if not isinstance(config, dict):
        return ""
    fields = cast("dict[str, Any]", config)
    listed = fields.get("architectures")
    if isinstance(listed, list) and listed:
        return str(cast("list[object]", listed)[0])
    return str(fields.get("model_type") or "")


def _check_shards(
    by_name: dict[str, Source], headers: dict[str, safetensors.SafetensorsHeader]
) -> None:
    indexed: set[str] = set()
    for name, source in by_name.items():
        if name.endswith(INDEX_SUFFIX):
            indexed |= _check_index(source, headers)
    for name in sorted(headers.keys() - indexed):
        shard = SHARD.fullmatch(name)
        if shard and int(shard[3]) > 1:
            stem, _, total = shard.groups()
            missing = f"{stem}{INDEX_SUFFIX}"
            raise damaged(
                name,
                f"is one of {int(total)} shards, and {missing} does not name it or is not there",
                "bring the index and every shard that it names",
            )


def _check_index(source: Source, headers: dict[str, safetensors.SafetensorsHeader]) -> set[str]:
    """The shards that an index names, which hold what it says, and nothing else."""
    body = _document(source)
    placed = cast("dict[str, Any]", body).get("weight_map") if isinstance(body, dict) else None
    if not isinstance(placed, dict) or not placed:
        raise damaged(source.name, "has no weight_map")
    folder = source.name.rpartition("/")[0]
    wanted: dict[str, set[str]] = {}
    for tensor, shard in cast("dict[str, object]", placed).items():
        name = f"{folder}/{shard}" if folder else str(shard)
        wanted.setdefault(name, set()).add(tensor)
    for name, tensors in sorted(wanted.items()):
        if name not in headers:
            detail = f"names {name[:200]} for {len(tensors)} tensors, and it is not there"
            raise damaged(source.name, detail, "bring every shard that the index names")
        there = {each.name for each in headers[name].tensors}
        for tensor in sorted(tensors ^ there)[:1]:
            side = (
                "the index names and it lacks" if tensor in tensors else "the index does not name"
            )
            detail = f"has {len(there)} tensors, and the index has {len(tensors)} for it"
            raise damaged(name, f"{detail}: {tensor[:200]!r} is one that {side}")
    return set(wanted)
