"""`python -m benchmarks [NAME ...] [--json FILE]`: measure, print a table, write JSON.

What each benchmark has come to is also kept in a file of its own, and `python -m benchmarks results` makes a page of these.
"""

import argparse
import importlib
from pathlib import Path

from benchmarks import results
from benchmarks.figures import Figure, show

ALL = (
    "startup",
    "latency",
    "writes",
    "arrays",
    "crash",
    "failover",
    "losses",
    "slurm",
    "durability",
    "environments",
    "weights",
    "artifacts",
    "small_files",
    "workspaces",
    "talks",
    "ray_engine",
    "packing",
    "twin",
    "philly",
    "scale",
    "reclaim",
    "estimates",
    "learned",
    "changes",
    "lives",
    "autoscale",
    "llm",
    "gateway",
    "metering",
    "invoices",
    "outage",
    "access",
    "revocations",
    "console",
    "fleet_map",
)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"of: {', '.join(ALL)} (default: all); or results"
    )
    default = Path(__file__).parent / "results" / "latest.json"
    parser.add_argument("--json", type=Path, default=default, metavar="FILE")
    options = parser.parse_args()
    if options.names == ["results"]:
        print(results.write())
        return
    unknown = [name for name in options.names if name not in ALL]
    if unknown:
        parser.error(f"there is no benchmark {unknown[0]!r}; there are: {', '.join(ALL)}")
    figures: list[Figure] = []
    for name in options.names or ALL:
        print(f"running {name} ...", flush=True)
        found: list[Figure] = importlib.import_module(f"benchmarks.{name}").run()
        results.keep(name, found)
        figures += found
    show(figures, out=options.json)


if __name__ == "__main__":
    main()
