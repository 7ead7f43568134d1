"""Names say what a thing is; imports say where it comes from; what is public comes first."""

import ast
import re
from pathlib import PurePath

from tests.house.files import Source, expect_none, sample, sources

VAGUE_MODULES = frozenset({"common", "helper", "helpers", "manager", "misc", "util", "utils"})
VAGUE_PREFIX = re.compile(r"_*(get|do|handle|process)_")
# Methods that a library calls by these names.
FRAMEWORK_NAMES = frozenset(
    {
        "do_GET",  # http.server
        "do_POST",
        "do_PUT",
        "do_HEAD",
        "do_DELETE",
        "do_execute",  # SQLAlchemy
        "get_command",  # click
        "get_help_option_names",
        "get_object",  # botocore
        "get_short_help_str",
        "process_bind_param",  # SQLAlchemy
        "process_result_value",
    }
)

Function = ast.FunctionDef | ast.AsyncFunctionDef


def test_no_module_has_a_name_that_says_nothing() -> None:
    expect_none(fault for source in sources() for fault in vague_modules(source))


def test_no_function_has_a_prefix_that_says_nothing() -> None:
    expect_none(fault for source in sources() for fault in vague_functions(source))


def test_every_import_is_absolute() -> None:
    expect_none(fault for source in sources() for fault in relative_imports(source))


def test_public_functions_come_before_private_ones() -> None:
    src = (source for source in sources() if source.path.startswith("src/"))
    expect_none(fault for source in src for fault in late_public_functions(source))


def test_a_module_named_utils_is_found() -> None:
    assert vague_modules(sample("", "src/gigawatt/api/utils.py")) == ["src/gigawatt/api/utils.py"]
    assert vague_modules(sample("", "src/gigawatt/utils/one.py")) == ["src/gigawatt/utils/one.py"]


def test_a_function_named_get_something_is_found() -> None:
    code = "def get_job(): ...\nasync def _handle_it(): ...\ndef getter(): ...\ndef do_GET(): ...\n"
    assert [fault.split(": ")[1] for fault in vague_functions(sample(code))] == [
        "get_job",
        "_handle_it",
    ]


def test_a_relative_import_is_found() -> None:
    code = "from . import one\nfrom .two import three\nfrom gigawatt import model\n"
    assert len(relative_imports(sample(code))) == 2


def test_a_public_function_after_a_private_one_is_found() -> None:
    code = "def _helper(): ...\ndef verb(): ...\n"
    assert late_public_functions(sample(code)) == [
        "src/gigawatt/model/sample.py:2: verb comes after a private function"
    ]


def test_a_private_function_that_the_module_itself_needs_may_come_first() -> None:
    assert late_public_functions(sample("def _f(): ...\nX = _f()\ndef verb(): ...\n")) == []
    assert late_public_functions(sample("def _f(): ...\n@_f\ndef verb(): ...\n")) == []


def vague_modules(source: Source) -> list[str]:
    parts = PurePath(source.path).with_suffix("").parts
    return [source.path] if VAGUE_MODULES.intersection(parts) else []


def vague_functions(source: Source) -> list[str]:
    return [
        f"{source.path}:{node.lineno}: {node.name}"
        for node in ast.walk(source.tree)
        if isinstance(node, Function)
        and VAGUE_PREFIX.match(node.name)
        and node.name not in FRAMEWORK_NAMES
    ]


def relative_imports(source: Source) -> list[str]:
    return [
        f"{source.path}:{node.lineno}"
        for node in ast.walk(source.tree)
        if isinstance(node, ast.ImportFrom) and node.level
    ]


def late_public_functions(source: Source) -> list[str]:
    needed = _used_while_loading(source.tree)
    faults: list[str] = []
    private_seen = False
    for node in source.tree.body:
        if not isinstance(node, Function):
            continue
        if node.name.startswith("_"):
            private_seen = private_seen or node.name not in needed
        elif private_seen and node.name not in needed:
            faults.append(
                f"{source.path}:{node.lineno}: {node.name} comes after a private function"
            )
    return faults


def _used_while_loading(tree: ast.Module) -> set[str]:
    """Names that statements outside function bodies use, decorators and annotations included."""
    names: set[str] = set()
    pending: list[ast.AST] = [*tree.body]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.Name):
            names.add(node.id)
        children = list(ast.iter_child_nodes(node))
        if isinstance(node, Function | ast.Lambda):
            body = node.body if isinstance(node.body, list) else [node.body]
            children = [child for child in children if child not in body]
        pending.extend(children)
    return names
