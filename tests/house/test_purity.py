"""The pure packages compute: their imports are a short list, and nothing in them reads a clock, chance or a file.

import-linter has the layers. This looks closer: at standard modules by an allowed list, and at names.
"""

import ast

from tests.house.files import PURE, Source, expect_none, sample, sources

ALLOWED = frozenset(
    {
        "__future__",
        "abc",
        "ast",
        "base64",
        "bisect",
        "collections",
        "copy",
        "dataclasses",
        "decimal",
        "difflib",
        "enum",
        "fractions",
        "functools",
        "graphlib",
        "hashlib",
        "heapq",
        "itertools",
        "json",
        "math",
        "numbers",
        "numpy",
        "operator",
        "re",
        "statistics",
        "string",
        "struct",
        "textwrap",
        "types",
        "typing",
        "zlib",
    }
)
ALLOWED_IN = {
    "spec": frozenset(
        {"pydantic", "pydantic_core", "yaml", "datetime", "packaging", "cronsim", "zoneinfo"}
    ),
}
FORBIDDEN_CALLS = frozenset({"open", "print", "input", "exec", "eval", "breakpoint", "hash", "id"})


def test_pure_packages_import_from_the_short_list_only() -> None:
    expect_none(fault for source in _pure() for fault in foreign_imports(source))


def test_pure_packages_use_no_chance_of_numpy() -> None:
    expect_none(fault for source in _pure() for fault in numpy_chance(source))


def test_pure_packages_call_no_builtin_that_reads_writes_or_depends_on_the_run() -> None:
    expect_none(fault for source in _pure() for fault in forbidden_calls(source))


def test_there_are_pure_files_to_look_at() -> None:
    assert {source.package for source in _pure()} >= {"model", "reconcile", "scheduler", "spec"}


def test_an_impure_import_is_found_wherever_it_stands() -> None:
    code = "import os\ndef f():\n    from time import time\nimport gigawatt.store.base\n"
    assert [fault.rsplit(" ", 1)[1] for fault in foreign_imports(sample(code))] == [
        "os",
        "time.time",
        "gigawatt.store.base",
    ]


def test_a_package_may_import_pure_packages_and_what_is_allowed_to_it_alone() -> None:
    assert foreign_imports(sample("from gigawatt.model.job import Job\nimport numpy as np\n")) == []
    assert foreign_imports(sample("import pydantic", "src/gigawatt/spec/sample.py")) == []
    assert foreign_imports(sample("import pydantic")) != []


def test_chance_of_numpy_is_found_by_import_and_by_attribute() -> None:
    assert numpy_chance(sample("import numpy as np\nx = np.random.default_rng(1)\n")) != []
    assert numpy_chance(sample("from numpy.random import default_rng\n")) != []
    assert numpy_chance(sample("from numpy import random\n")) != []
    assert numpy_chance(sample("import numpy as np\nx = np.zeros(3)\n")) == []


def test_a_call_of_open_is_found_and_a_method_of_that_name_is_not() -> None:
    assert forbidden_calls(sample("open('x')")) == ["src/gigawatt/model/sample.py:1: open()"]
    assert forbidden_calls(sample("account.open(1)")) == []


def foreign_imports(source: Source) -> list[str]:
    allowed = ALLOWED | ALLOWED_IN.get(source.package, frozenset())
    return [
        f"{source.path}:{line}: {name}"
        for line, name in _imports(source)
        if name.split(".")[0] not in allowed and not _is_pure(name)
    ]


def numpy_chance(source: Source) -> list[str]:
    imported = [
        f"{source.path}:{line}: {name}"
        for line, name in _imports(source)
        if name.startswith("numpy.random")
    ]
    return imported + [
        f"{source.path}:{node.lineno}: {ast.unparse(node)}"
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Attribute)
        and node.attr == "random"
        and isinstance(node.value, ast.Name)
        and node.value.id in {"np", "numpy"}
    ]


def forbidden_calls(source: Source) -> list[str]:
    return [
        f"{source.path}:{node.lineno}: {node.func.id}()"
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in FORBIDDEN_CALLS
    ]


def _pure() -> list[Source]:
    return [source for source in sources() if source.package in PURE]


def _is_pure(name: str) -> bool:
    parts = name.split(".")
    return parts[0] == "gigawatt" and len(parts) > 1 and parts[1] in PURE


def _imports(source: Source) -> list[tuple[int, str]]:
    """Line and dotted name of all that is imported, anywhere in the file."""
    found: list[tuple[int, str]] = []
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            found += [(node.lineno, f"{node.module}.{alias.name}") for alias in node.names]
    return sorted(found)
