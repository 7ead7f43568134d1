"""Requests to a model over time: from public traces, or by chance from a seed."""

import csv
import gzip
import json
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import IO

from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.twin.chance import Chance

MS_PER_S = 1000
MOONCAKE_BLOCK_TOKENS = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """`at_s` since the first. `prefix` names what its prompt begins with, block by block; empty where nobody knows."""

    at_s: float
    prompt_tokens: int
    completion_tokens: int
    prefix: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """What of a trace is played: `count` requests at most (0: all), the times divided by `speed`."""

    count: int = 0
    speed: float = 1.0


def read_requests(path: Path, kind: str, cut: Cut = Cut()) -> tuple[Request, ...]:
    """A trace of azure, burstgpt or mooncake, plain or gzipped. Raises RefusalError with the line."""
    read = READERS[kind]
    found: list[Request] = []
    opened = gzip.open if path.suffix == ".gz" else open
    try:
        with opened(path, "rt", encoding="utf-8", newline="") as file:
            for request in _told(path, read(file)):
                found.append(request)
                if cut.count and len(found) >= cut.count:
                    break
    except OSError as error:
        detail = f"cannot read {path}: {error.strerror or error}"
        raise RefusalError(RefusalCode.INVALID, detail, field="trace") from error
    found.sort(key=lambda each: each.at_s)
    first_s = found[0].at_s if found else 0.0
    return tuple(replace(each, at_s=(each.at_s - first_s) / cut.speed) for each in found)


def poisson(
    *, rate: float, count: int, prompt_tokens: int, completion_tokens: int, seed: int = 0
) -> tuple[Request, ...]:
    """`count` requests at `rate` a second on average, independent of each other; lengths are exponential too."""
    chance, at_s = Chance(seed), 0.0
    found: list[Request] = []
    for _ in range(count):
        found.append(
            Request(
                at_s=at_s,
                prompt_tokens=max(1, round(_exponential(chance) * prompt_tokens)),
                completion_tokens=max(1, round(_exponential(chance) * completion_tokens)),
            )
        )
        at_s += _exponential(chance) / rate
    return tuple(found)


def capped(
    requests: Sequence[Request], *, prompt_tokens: int, completion_tokens: int
) -> tuple[Request, ...]:
    """The same, none longer than these."""
    return tuple(
        replace(
            each,
            prompt_tokens=min(each.prompt_tokens, prompt_tokens),
            completion_tokens=min(each.completion_tokens, completion_tokens),
        )
        for each in requests
    )


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest of `values` that so many percent are not above; NaN of none."""
    if not values:
        return math.nan
    ordered = sorted(values)
    return ordered[min(max(math.ceil(len(ordered) * percent / 100) - 1, 0), len(ordered) - 1)]


def _exponential(chance: Chance) -> float:
    return -math.log(1 - chance.part())


def _azure(file: IO[str]) -> Iterator[Request]:
    for row in csv.DictReader(file):
        at = datetime.fromisoformat(row["TIMESTAMP"][:26])
        yield Request(
            at_s=(at - datetime(1970, 1, 1, tzinfo=at.tzinfo)).total_seconds(),
            prompt_tokens=int(row["ContextTokens"]),
            completion_tokens=max(int(row["GeneratedTokens"]), 1),
        )


def _burstgpt(file: IO[str]) -> Iterator[Request]:
    for row in csv.DictReader(file):
        completion = int(row["Response tokens"])
        if completion:  # 0 is a failure of the service that was traced
            yield Request(
                at_s=float(row["Timestamp"]),
                prompt_tokens=int(row["Request tokens"]),
                completion_tokens=completion,
            )


def _mooncake(file: IO[str]) -> Iterator[Request]:
    for line in file:
        told = json.loads(line)
        yield Request(
            at_s=told["timestamp"] / MS_PER_S,
            prompt_tokens=told["input_length"],
            completion_tokens=max(told["output_length"], 1),
            prefix=tuple(told["hash_ids"]),
        )


READERS: dict[str, Callable[[IO[str]], Iterator[Request]]] = {
    "azure": _azure,
    "burstgpt": _burstgpt,
    "mooncake": _mooncake,
}


def _told(path: Path, requests: Iterator[Request]) -> Iterator[Request]:
    count = 0
    try:
        for count, request in enumerate(requests, start=1):  # noqa: B007 - told where it breaks
            yield request
    except (ValueError, KeyError, TypeError) as error:
        detail = f"{path}: request {count + 1} cannot be read: {error!r}"
        raise RefusalError(RefusalCode.INVALID, detail, field="trace") from error
