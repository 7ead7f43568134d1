"""`python -m benchmarks [NAME ...] [--json FILE]`: measure, print a table, write JSON."""

import argparse
import importlib
from pathlib import Path

from benchmarks.figures import Figure, show

ALL = (
    "startup",
    "latency",
    "writes",
    "arrays",
    "crash",
    "failover",
    "slurm",
    "durability",
    "environments",
    "weights",
    "artifacts",
    "workspaces",
    "talks",
    "ray_engine",
    "packing",
    "twin",
    "philly",
    "scale",
    "reclaim",
    "estimates",
    "changes",
    "lives",
    "gateway",
    "metering",
)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"of: {', '.join(ALL)} (default: all)"
    )
    default = Path(__file__).parent / "results" / "latest.json"
    parser.add_argument("--json", type=Path, default=default, metavar="FILE")
    options = parser.parse_args()
    unknown = [name for name in options.names if name not in ALL]
    if unknown:
        parser.error(f"there is no benchmark {unknown[0]!r}; there are: {', '.join(ALL)}")
    figures: list[Figure] = []
    for name in options.names or ALL:
        print(f"running {name} ...", flush=True)
        figures += importlib.import_module(f"benchmarks.{name}").run()
    show(figures, out=options.json)


if __name__ == "__main__":
    main()
