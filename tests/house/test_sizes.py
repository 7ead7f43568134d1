"""A function fits on a screen, a module holds one noun."""

import ast

from tests.house.files import Source, expect_none, sample, sources

FUNCTION_LINES_MAX = 50
MODULE_LINES_MAX = 400


def test_no_function_is_longer_than_a_screen() -> None:
    expect_none(fault for source in sources() for fault in long_functions(source))


def test_no_module_is_longer_than_one_noun_needs() -> None:
    expect_none(fault for source in sources() for fault in long_modules(source))


def test_a_function_of_51_lines_is_found_and_one_of_50_is_not() -> None:
    fifty = "def f():\n" + "    x = 1\n" * 49
    assert long_functions(sample(fifty)) == []
    assert long_functions(sample(fifty + "    x = 2\n")) == [
        "src/gigawatt/model/sample.py:1: f has 51 lines"
    ]


def test_a_module_of_401_lines_is_found_and_one_of_400_is_not() -> None:
    assert long_modules(sample("x = 1\n" * 400)) == []
    assert long_modules(sample("x = 1\n" * 401)) == ["src/gigawatt/model/sample.py has 401 lines"]


def long_functions(source: Source) -> list[str]:
    return [
        f"{source.path}:{node.lineno}: {node.name} has {lines} lines"
        for node in ast.walk(source.tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (lines := (node.end_lineno or node.lineno) - node.lineno + 1) > FUNCTION_LINES_MAX
    ]


def long_modules(source: Source) -> list[str]:
    lines = len(source.text.splitlines())
    return [f"{source.path} has {lines} lines"] if lines > MODULE_LINES_MAX else []
