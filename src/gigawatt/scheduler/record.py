"""A cycle as bytes: the snapshot and the policy it was decided with, to be decided again anywhere.

The format describes itself and depends on nothing but itself, so equal cycles have equal bytes:

    magic, one line | length of the header, 8 bytes, little-endian | header, JSON | arrays, one after another,
    little-endian, in the header's order | SHA-256 of all before, 32 bytes

What is read back is checked against that digest and against the columns of this version.
"""

import hashlib
import json
from dataclasses import asdict, fields
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from gigawatt.model.decision import Decision, Hold
from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.scheduler.policy import Policy, policy_of
from gigawatt.scheduler.running import ClaimColumns, RunningColumns
from gigawatt.scheduler.snapshot import (
    ApartColumns,
    GangColumns,
    KindColumns,
    NodeColumns,
    PowerColumns,
    ReservedColumns,
    ShareColumns,
    Snapshot,
)

MAGIC = b"gigawatt cycle 3\n"
LENGTH_BYTES = 8
DIGEST_BYTES = 32


def dump(snapshot: Snapshot, policy: Policy) -> bytes:
    """A recorded cycle. `load` gives back equal values, and those are dumped to the same bytes."""
    arrays: dict[str, npt.NDArray[Any]] = {}
    header: dict[str, Any] = {
        "now_ms": snapshot.now_ms,
        "resume": snapshot.resume,
        "hold": None if snapshot.hold is None else asdict(snapshot.hold),
        "policy": asdict(policy),
        "nodes": _apart("nodes", snapshot.nodes, arrays),
        "gangs": _apart("gangs", snapshot.gangs, arrays),
        "shares": _apart("shares", snapshot.shares, arrays) if snapshot.shares else None,
    }
    if snapshot.kinds is not None:
        header["kinds"] = _apart("kinds", snapshot.kinds, arrays)
    if snapshot.running is not None:
        header["running"] = _apart("running", snapshot.running, arrays)
        header["runners"] = _apart("runners", snapshot.running.gangs, arrays)
    if snapshot.growing is not None:
        header["growing"] = _apart("growing", snapshot.growing, arrays)
        header["growers"] = _apart("growers", snapshot.growing.gangs, arrays)
    if snapshot.claims is not None:
        header["claims"] = _apart("claims", snapshot.claims, arrays)
    if snapshot.power is not None:
        header["power"] = _apart("power", snapshot.power, arrays)
    if snapshot.apart is not None:
        header["apart"] = _apart("apart", snapshot.apart, arrays)
    if snapshot.reserved is not None:
        header["reserved"] = _apart("reserved", snapshot.reserved, arrays)
    arrays = {name: _little_endian(array) for name, array in arrays.items()}
    header["arrays"] = [
        {"name": name, "dtype": array.dtype.str, "shape": array.shape}
        for name, array in arrays.items()
    ]
    text = _canonical(header)
    length = len(text).to_bytes(LENGTH_BYTES, "little")
    body = b"".join([MAGIC, length, text, *(array.tobytes() for array in arrays.values())])
    return body + hashlib.sha256(body).digest()


def load(recorded: bytes) -> tuple[Snapshot, Policy]:
    """The cycle that `dump` recorded. Raises RefusalError for anything else."""
    body, digest = recorded[:-DIGEST_BYTES], recorded[-DIGEST_BYTES:]
    if not recorded.startswith(MAGIC):
        raise _refused("not a recorded cycle of this version", f"it must start with {MAGIC!r}")
    if hashlib.sha256(body).digest() != digest:
        raise _refused("cut short or changed: its digest does not match", "record the cycle again")
    start = len(MAGIC) + LENGTH_BYTES
    end = start + int.from_bytes(body[len(MAGIC) : start], "little")
    header = json.loads(body[start:end])
    arrays = _arrays(header.pop("arrays"), body, end)
    try:
        snapshot = Snapshot(
            now_ms=header["now_ms"],
            resume=header["resume"],
            hold=None if header["hold"] is None else Hold(**header["hold"]),
            nodes=NodeColumns(**_together("nodes", header, arrays)),
            gangs=GangColumns(**_together("gangs", header, arrays)),
            shares=ShareColumns(**_together("shares", header, arrays))
            if header["shares"]
            else None,
            kinds=KindColumns(**_together("kinds", header, arrays)) if "kinds" in header else None,
            running=_running("running", "runners", header, arrays),
            growing=_running("growing", "growers", header, arrays),
            claims=ClaimColumns(**_together("claims", header, arrays))
            if "claims" in header
            else None,
            apart=ApartColumns(**_together("apart", header, arrays)) if "apart" in header else None,
            power=PowerColumns(**_together("power", header, arrays)) if "power" in header else None,
            reserved=ReservedColumns(**_together("reserved", header, arrays))
            if "reserved" in header
            else None,
        )
        return snapshot, policy_of(header["policy"])
    except (KeyError, TypeError, ValueError) as error:
        detail = f"its columns are not those of this version: {error}"
        raise _refused(detail, "replay it with the version that recorded it") from error


def decision_bytes(decision: Decision) -> bytes:
    """A decision as canonical JSON: equal decisions have equal bytes, whatever the process."""
    return _canonical(asdict(decision))


def decision_sha256(decision: Decision) -> str:
    """The digest of `decision_bytes`, in hex."""
    return hashlib.sha256(decision_bytes(decision)).hexdigest()


def _running(
    part: str, gangs_part: str, header: dict[str, Any], arrays: dict[str, npt.NDArray[Any]]
) -> RunningColumns | None:
    if part not in header:
        return None
    gangs = GangColumns(**_together(gangs_part, header, arrays))
    return RunningColumns(gangs=gangs, **_together(part, header, arrays))


def _apart(
    part: str,
    columns: NodeColumns
    | GangColumns
    | ShareColumns
    | KindColumns
    | RunningColumns
    | ClaimColumns
    | PowerColumns
    | ApartColumns
    | ReservedColumns,
    arrays: dict[str, npt.NDArray[Any]],
) -> dict[str, Any]:
    """The columns that are no arrays; those that are go into `arrays`. Gangs of their own are a part of their own."""
    plain: dict[str, Any] = {}
    for field in fields(columns):
        value = getattr(columns, field.name)
        if isinstance(value, np.ndarray):
            arrays[f"{part}.{field.name}"] = value
        elif not isinstance(value, GangColumns):
            plain[field.name] = value
    return plain


def _together(
    part: str, header: dict[str, Any], arrays: dict[str, npt.NDArray[Any]]
) -> dict[str, Any]:
    prefix = f"{part}."
    columns = {
        name.removeprefix(prefix): array
        for name, array in arrays.items()
        if name.startswith(prefix)
    }
    return columns | {name: _frozen(value) for name, value in header[part].items()}


def _arrays(
    described: list[dict[str, Any]], body: bytes, start: int
) -> dict[str, npt.NDArray[Any]]:
    arrays: dict[str, npt.NDArray[Any]] = {}
    for column in described:
        dtype, shape = np.dtype(column["dtype"]), tuple(column["shape"])
        size = int(np.prod(shape, dtype=np.int64))
        array = np.frombuffer(body, dtype=dtype, count=size, offset=start).reshape(shape)
        arrays[column["name"]] = array.astype(dtype.newbyteorder("="))
        start += size * dtype.itemsize
    return arrays


def _little_endian(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    return np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))


def _frozen(value: Any) -> Any:
    if not isinstance(value, list):
        return value
    return tuple(map(_frozen, cast("list[Any]", value)))


def _canonical(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def _refused(detail: str, hint: str) -> RefusalError:
    return RefusalError(RefusalCode.INVALID, detail, field="file", hint=hint)
