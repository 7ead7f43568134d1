"""How a function gets to its rank: by its name in a module of the bundle, as part of the script, or as a value.

By name is the rule. A value, made by cloudpickle, is for what has no file that others could import: notebooks, a
prompt, functions within functions.
"""

import importlib.util
import inspect
import io
import sys
import sysconfig
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gigawatt.model.refusal import RefusalCode, RefusalError

EXTRA_HINT = "pip install 'gigawatt[notebook]', or put the function into a module"
VALUE_BYTES_MAX = 64 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """What a rank needs to find a function.

    `function` is what the rank is told. `root` is the directory from which its module is imported, None where the
    environment has it or it is a value; `value` is what is stored of one.
    """

    function: dict[str, Any]
    root: Path | None = None
    value: bytes = b""


def route_of(target: Callable[..., Any]) -> Route:
    """How `target` travels. Raises RefusalError where it cannot."""
    name = target.__qualname__
    module = sys.modules.get(target.__module__)
    file = getattr(module, "__file__", None)
    if "<" in name or module is None or (target.__module__ == "__main__" and not file):
        return _as_value(target)
    if target.__module__ == "__main__":
        return _of_script(target, Path(str(file)).resolve())
    function = {"how": "module", "module": target.__module__, "name": name}
    if file is None:  # built into the interpreter
        return Route(function=function)
    return Route(function=function, root=_root(target.__module__, Path(file)))


def within(bundle: Path, root: Path | None, target: Callable[..., Any]) -> str:
    """Where the module's directory is in the bundle. Raises RefusalError where it is outside."""
    if root is None or root == bundle:
        return ""
    if not root.is_relative_to(bundle):
        raise RefusalError(
            RefusalCode.INVALID,
            f"{target.__qualname__} is in a module below {root}, which the bundle {bundle} does not hold",
            field="bundle",
            hint=f"leave bundle out, or name {root} or a directory above it",
        )
    return root.relative_to(bundle).as_posix()


def check_target(target: Any) -> None:
    """Refuse at decoration what could not run. Raises TypeError."""
    if inspect.iscoroutinefunction(target) or inspect.isasyncgenfunction(target):
        raise TypeError(
            f"{target.__qualname__} is an async function; a job's function is a plain one: "
            "call asyncio.run inside"
        )
    if inspect.isgeneratorfunction(target):
        raise TypeError(f"{target.__qualname__} yields; a job's function returns once")
    if isinstance(target, type):
        if not callable(getattr(target, "run", None)):
            raise TypeError(f"class {target.__qualname__} has no method run(self)")
    elif not (inspect.isfunction(target) or inspect.isbuiltin(target)):
        raise TypeError(f"gw.job decorates functions and classes, not {type(target).__name__}")


def _of_script(target: Callable[..., Any], file: Path) -> Route:
    spec = getattr(sys.modules["__main__"], "__spec__", None)
    if spec is not None and spec.name:  # python -m package.module
        named = spec.name.removesuffix(".__main__") if file.name != "__main__.py" else spec.name
        function = {"how": "module", "module": named, "name": target.__qualname__}
        return Route(function=function, root=_root(named, file))
    function = {"how": "main", "file": file.name, "name": target.__qualname__}
    return Route(function=function, root=file.parent)


def _root(module: str, file: Path) -> Path | None:
    """The directory that holds the outermost package; None for what is installed."""
    file = file.resolve()
    installed = {
        Path(sysconfig.get_path(each)).resolve() for each in ("stdlib", "purelib", "platlib")
    }
    if any(file.is_relative_to(each) for each in installed):
        return None
    depth = module.count(".") + (file.name == "__init__.py")
    return file.parents[depth]


def _as_value(target: Callable[..., Any]) -> Route:
    try:
        import cloudpickle
    except ImportError as error:
        raise RefusalError(
            RefusalCode.UNSUPPORTED,
            f"{target.__qualname__} has no module that a rank could import, so it must travel as a value, "
            "and that takes cloudpickle",
            hint=EXTRA_HINT,
        ) from error
    try:
        pickled = cloudpickle.dumps(target, protocol=5)  # pyright: ignore[reportUnknownMemberType]  # its types are partial
    except Exception as error:
        raise RefusalError(
            RefusalCode.UNSUPPORTED,
            f"{target.__qualname__} cannot travel as a value: {error}",
            hint="what it refers to must be picklable; make files, locks and connections inside the function",
        ) from error
    if len(pickled) > VALUE_BYTES_MAX:
        raise RefusalError(
            RefusalCode.TOO_LARGE,
            f"{target.__qualname__} with all that it refers to is {len(pickled)} bytes, "
            f"over the limit of {VALUE_BYTES_MAX}",
            hint="it refers to large objects of this session: pass them as arguments, or load them inside",
        )
    carried = _carried()
    value = len(carried).to_bytes(8, "big") + carried + pickled
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    return Route(function={"how": "value", "python": python}, value=value)


def _carried() -> bytes:
    """The cloudpickle that made the value, as an archive to import from: the job's environment may have none."""
    spec = importlib.util.find_spec("cloudpickle")
    assert spec is not None and spec.submodule_search_locations
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as zipped:
        for file in sorted(Path(spec.submodule_search_locations[0]).glob("*.py")):
            info = zipfile.ZipInfo(
                f"cloudpickle/{file.name}"
            )  # without the time: the same bytes each time
            zipped.writestr(info, file.read_bytes(), zipfile.ZIP_DEFLATED)
    return archive.getvalue()
