"""Volumes as a job names them: `imagenet`, `imagenet:3`, `imagenet:3:data/imagenet`, `scratch:out:rw`, or a mapping."""

import re
from typing import Annotated, Any, Literal, cast

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, WithJsonSchema

from gigawatt.model.volume import LATEST
from gigawatt.spec import limits, names
from gigawatt.spec.faults import wrong
from gigawatt.spec.fields import FORM
from gigawatt.spec.units import shown

MODES = ("ro", "rw")
HINT = "write NAME[:VERSION][:PATH[:MODE]], e.g. imagenet:3:data/imagenet or scratch:out:rw"
REFERENCE = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(:([1-9][0-9]{0,8}|latest))?"
_REFERENCE = re.compile(REFERENCE)
_NUMBER = re.compile(r"[1-9][0-9]{0,8}")


def _reference(value: str) -> str:
    if not _REFERENCE.fullmatch(value):
        hint = f"write a volume's name, or NAME:VERSION; {names.NAME_HINT}"
        raise wrong(f"names no volume: {shown(value)}", hint)
    return value


def _inside(value: str) -> str:
    if value.startswith("/"):
        hint = (
            "ranks share the machine's files here: give a path below the job's directory, "
            "or leave it out and read GIGAWATT_DATA_<NAME>"
        )
        raise wrong(f"must be relative, got {shown(value)}", hint)
    parts = value.rstrip("/").removeprefix("./").split("/")
    if "\0" in value or (any(part in {"", ".", ".."} for part in parts) and value):
        raise wrong(f"must be a path below the job's directory, got {shown(value)}")
    return "/".join(parts) if value else ""


class VolumeForm(BaseModel):
    """A volume in the view of ranks: `volume` is NAME or NAME:VERSION, `path` is below the job's directory."""

    model_config = FORM
    volume: Annotated[
        str,
        AfterValidator(_reference),
        WithJsonSchema({"type": "string", "pattern": f"^{REFERENCE}$"}),
    ]
    path: Annotated[str, Field(max_length=limits.PATH_CHARS_MAX), AfterValidator(_inside)] = ""
    mode: Literal["ro", "rw"] = "ro"


def _as_volumes(value: object) -> object:
    """A mapping of references to paths, or a list of texts and mappings, as a list of mappings."""
    if isinstance(value, dict):
        named = cast("dict[str, object]", value)
        return [_of_pair(reference, each) for reference, each in named.items()]
    if isinstance(value, list):
        return [_split(each) if isinstance(each, str) else each for each in cast("Any", value)]
    return value


def _of_pair(reference: str, value: object) -> object:
    if value is None:
        return _split(reference)
    if isinstance(value, str):
        path, colon, mode = value.rpartition(":")
        if colon and mode in MODES:
            return {"volume": reference, "path": path, "mode": mode}
        return {"volume": reference, "path": value}
    if isinstance(value, dict):
        return {"volume": reference, **cast("dict[str, object]", value)}
    raise wrong(f"must give '{reference}' a path, got {shown(value)}", HINT)


def _split(text: str) -> dict[str, str]:
    """The parts of NAME[:VERSION][:PATH[:MODE]]; what is wrong with them is found later."""
    parts = text.split(":")
    found = {"volume": parts.pop(0)}
    if parts and (_NUMBER.fullmatch(parts[0]) or parts[0] == LATEST):
        found["volume"] += f":{parts.pop(0)}"
    if parts and parts[-1] in MODES:
        found["mode"] = parts.pop()
    if parts:
        found["path"] = ":".join(parts)
    return found


Volumes = Annotated[
    list[VolumeForm],
    BeforeValidator(_as_volumes),
    Field(max_length=limits.VOLUMES_MAX),
    WithJsonSchema(
        {
            "anyOf": [
                {
                    "type": "array",
                    "items": {"anyOf": [{"type": "string"}, VolumeForm.model_json_schema()]},
                    "maxItems": limits.VOLUMES_MAX,
                },
                {
                    "type": "object",
                    "additionalProperties": {"type": ["string", "object", "null"]},
                    "maxProperties": limits.VOLUMES_MAX,
                },
            ],
            "description": "Volumes that ranks see: NAME[:VERSION][:PATH[:MODE]], "
            "or {volume, path, mode}, or a mapping of NAME[:VERSION] to PATH.",
        }
    ),
]
