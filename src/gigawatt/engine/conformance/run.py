"""Runs the cases one after another, each with a control plane of its own, and cleans up after each."""

import asyncio
import tempfile
import traceback
from collections.abc import Collection
from pathlib import Path

from gigawatt.clock import entropy
from gigawatt.engine.conformance.bench import HUGE_BYTES, NO_FAULTS, Bench, EngineFactory, Faults
from gigawatt.engine.conformance.cases import CASES
from gigawatt.engine.conformance.report import Case, CaseFailedError, Report, UnsupportedError

CASE_S_MAX = 120.0


async def run(
    engine_factory: EngineFactory,
    *,
    only: Collection[str] = (),
    faults: Faults = NO_FAULTS,
    first_epoch: int = 1,
    scratch: Path | None = None,
    huge_bytes: int = HUGE_BYTES,
) -> Report:
    """`engine_factory` makes an engine object anew onto the same nodes, which must be idle: a restart.

    `faults` are ways to do nodes harm. Supervisors must not have seen an epoch above
    `first_epoch`. `scratch` is a directory that ranks can write, where the engine has a shared file system; `huge_bytes`
    how much one case has a rank write. Raises KeyError for a name in `only` that is no case.
    """
    names = [name for name in CASES if name in only] if only else list(CASES)
    if only and len(names) != len(set(only)):
        raise KeyError(sorted(set(only) - set(names)))
    with tempfile.TemporaryDirectory(dir=scratch, prefix="gw-conformance-") as directory:
        bench = Bench(
            engine_factory,
            faults=faults,
            epoch=first_epoch,
            scratch=Path(directory),
            tag=entropy(4).hex(),
            huge_bytes=huge_bytes,
        )
        cases = [await _run_case(bench, name) for name in names]
    return Report(engine=bench.engine.name, cases=tuple(cases))


async def _run_case(bench: Bench, name: str) -> Case:
    try:
        async with asyncio.timeout(CASE_S_MAX):
            await bench.start(name)
            evidence = await CASES[name](bench)
        case = Case(name=name, result="passed", evidence=evidence)
    except UnsupportedError as error:
        case = Case(name=name, result="unsupported", evidence=str(error))
    except CaseFailedError as error:
        case = Case(name=name, result="failed", evidence=str(error))
    except TimeoutError:
        case = Case(name=name, result="failed", evidence=f"not over in {CASE_S_MAX:g} s")
    except Exception as error:  # noqa: BLE001 - whatever an engine raises is a result here
        case = Case(name=name, result="failed", evidence=_raised(error))
    await bench.finish()
    return case


def _raised(error: Exception) -> str:
    """With the place, without which a FileNotFoundError says little."""
    *_, last = traceback.extract_tb(error.__traceback__)
    return f"it raised {error!r} in {Path(last.filename).name}:{last.lineno} ({last.name})"
