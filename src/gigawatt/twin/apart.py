"""One question to the twin in a process of its own, within bounds: `python -m gigawatt.twin.apart`, JSON in and JSON out.

    {"kind": "play", "text": TOML, "policies": [NAME, ...], "seconds_max": N}   no policy is the scenario's own
    {"kind": "replay", "file": PATH, "seconds_max": N}

Answers `{"runs": [...]}`, `{"decision": ...}` or `{"refused": {detail, field, hint, faults}}`. A scenario that comes so may
not name files of this machine.
"""

import json
import resource
import sys
import tempfile
import tomllib
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.scheduler.decide import decide
from gigawatt.scheduler.record import decision_sha256, load
from gigawatt.twin.history import History
from gigawatt.twin.report import report_sha256
from gigawatt.twin.run import run
from gigawatt.twin.scenario import read_scenario

BYTES_MAX = 4 << 30  # of memory
SPANS_SHOWN = 160
WAITS_SHOWN = 200
NAME = "scenario"
FILES = (("workload", "trace"), ("serving", "load"))  # fields that name one
LINE = "queued"


def main() -> None:
    """Read the question, answer it."""
    asked: dict[str, Any] = json.load(sys.stdin)
    seconds = int(asked["seconds_max"])
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
    resource.setrlimit(resource.RLIMIT_AS, (BYTES_MAX, BYTES_MAX))
    try:
        answer = answered(asked)
    except RefusalError as error:
        answer = {"refused": _refused(error)}
    except MemoryError:
        detail = f"it takes more than {BYTES_MAX >> 30} GiB of memory"
        answer = {"refused": _refused(RefusalError(RefusalCode.TOO_LARGE, detail))}
    json.dump(answer, sys.stdout)


def answered(asked: dict[str, Any]) -> dict[str, Any]:
    """Raises RefusalError."""
    if asked["kind"] == "replay":
        return {"decision": replayed(Path(asked["file"]).read_bytes())}
    return {"runs": [played(asked["text"], policy) for policy in asked["policies"] or ("",)]}


def played(text: str, policy: str) -> dict[str, Any]:
    """A scenario's report, with what there was of each class and how long the line was over time. Raises RefusalError."""
    check_files(text)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / NAME
        file.write_text(text, encoding="utf-8")
        try:
            scenario = read_scenario(file, policy=policy, estimates=True)
        except RefusalError as error:
            raise _without(error, f"{folder}/") from error
    history = History()
    report = run(scenario, history)
    return {
        "report": asdict(report),
        "report_sha256": report_sha256(report),
        "unit": history.unit,
        "span_s": history.span_ms / 1_000,
        "classes": _classes(history),
        "line": _line(history),
    }


def replayed(content: bytes) -> dict[str, Any]:
    """What a recorded cycle decides. Raises RefusalError."""
    snapshot, policy = load(content)
    decision = decide(snapshot, policy)
    return {
        "sha256": decision_sha256(decision),
        "at_ms": snapshot.now_ms,
        "nodes": len(snapshot.nodes.ids),
        "gangs": len(snapshot.gangs.ids),
        "steps": decision.steps,
        "start_count": len(decision.starts),
        "wait_count": len(decision.waits),
        "starts": [
            {"gang": each.gang, "nodes": list(each.nodes)} for each in decision.starts[:WAITS_SHOWN]
        ],
        "waits": [
            {
                "position": each.position,
                "gang": each.gang,
                "code": each.reason.code.value,
                "resource": each.reason.resource,
                "need": each.reason.need,
                "have": each.reason.have,
                "detail": each.reason.detail,
            }
            for each in decision.waits[:WAITS_SHOWN]
        ],
    }


def check_files(text: str) -> None:
    """Refuse a scenario that names files. What is no TOML at all is found wrong when it is read. Raises RefusalError."""
    try:
        form = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return
    for table, key in FILES:
        found: Any = form.get(table, {})
        entries = cast("list[Any]", found if isinstance(found, list) else [found])
        if any(isinstance(each, dict) and key in each for each in entries):
            detail = f"{table}.{key} names a file, and a scenario that is sent has none"
            hint = "play it where the file is: gw sim run FILE"
            raise RefusalError(RefusalCode.INVALID, detail, field=f"{table}.{key}", hint=hint)


def _classes(history: History) -> dict[str, list[float]]:
    rows = history.classes
    step = max(1, -(-len(rows) // SPANS_SHOWN))
    names = sorted({name for row in rows for name, amount in row.items() if amount})
    return {
        name: [
            float(sum(row[name] for row in rows[at : at + step]))
            for at in range(0, len(rows), step)
        ]
        for name in names
    }


def _line(history: History) -> list[float]:
    """How many jobs waited on the average, span by span."""
    rows, span = history.line, history.span_ms
    step = max(1, -(-len(rows) // SPANS_SHOWN))
    return [
        sum(row[LINE] for row in rows[at : at + step]) / (span * len(rows[at : at + step]))
        for at in range(0, len(rows), step)
    ]


def _refused(error: RefusalError) -> dict[str, Any]:
    return {
        "detail": error.detail,
        "field": error.field,
        "hint": error.hint,
        "faults": [asdict(fault) for fault in error.faults],
    }


def _without(error: RefusalError, folder: str) -> RefusalError:
    """The same, as the one who sent the scenario knows it: by no path of ours."""
    told = json.loads(json.dumps(_refused(error)).replace(folder, ""))
    faults = tuple(
        type(fault)(**each) for fault, each in zip(error.faults, told["faults"], strict=True)
    )
    return RefusalError(
        error.code, told["detail"], field=error.field, hint=told["hint"], faults=faults
    )


if __name__ == "__main__":
    main()
