"""`python -m gigawatt.engine.checks --level quick`: run the checks of a level, and write a line of JSON for each."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from gigawatt.clock import monotonic_s, now_ms
from gigawatt.engine.checks import burn, gpu, host, scripts
from gigawatt.engine.checks.said import FAIL, Said
from gigawatt.engine.checks.state import State

LEVELS = ("watch", "quick", "full")
BURN_S = {"quick": 1.0, "full": 60.0}

Check = Callable[[], Said]


def main(argv: list[str] | None = None) -> int:
    """Exit code 0 if none failed, 2 if any did."""
    options = _options(argv)
    state = State(options.state)
    worst = 0
    for name, check in checks(options.level, options.dir, options.scripts, state):
        began = monotonic_s()
        try:
            said = check()
        except Exception as error:  # noqa: BLE001 - a check that breaks must not hide the others
            said = Said(FAIL, f"the check itself broke: {error!r}")
        line = {
            "name": name,
            "outcome": said.outcome,
            "detail": said.detail,
            "at_ms": now_ms(),
            "took_ms": round((monotonic_s() - began) * 1_000),
        }
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()
        worst = max(worst, 2 if said.outcome == FAIL else 0)
    state.save()
    return worst


def checks(level: str, directory: Path, own: Path | None, state: State) -> list[tuple[str, Check]]:
    """Names and checks of a level, in the order in which they run."""
    found: list[tuple[str, Check]] = [
        ("disk", partial(host.disk, directory)),
        ("memory", partial(host.memory, state)),
        ("pressure", host.pressure),
        ("clock", host.clock),
        ("network", partial(host.network, state)),
        ("xid", partial(gpu.xids, state)),
        ("gpu", partial(gpu.devices, state)),
    ]
    if level in BURN_S:
        seconds = BURN_S[level]
        found += [
            ("cpu-burn", partial(burn.processors, seconds)),
            ("memory-burn", partial(burn.memory, seconds)),
            ("disk-burn", partial(burn.disk, directory, seconds)),
            ("gpu-burn", partial(burn.gpus, seconds)),
        ]
    found += [
        (f"own:{path.name}", partial(scripts.run, path, level)) for path in scripts.programs(own)
    ]
    return found


def _options(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m gigawatt.engine.checks", description=__doc__)
    parser.add_argument("--level", choices=LEVELS, default="watch")
    parser.add_argument("--dir", type=Path, default=Path.cwd(), help="whose disk is checked")
    parser.add_argument("--scripts", type=Path, help="a directory of own checks")
    parser.add_argument("--state", type=Path, help="where counters are remembered")
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
