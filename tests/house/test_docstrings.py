"""A module opens with what it is for; what others build on says what it does."""

import ast

from tests.house.files import Source, expect_none, sample, sources

# Where other people start: contracts, verbs, the client, and what examples copy.
DOCUMENTED = (
    "src/gigawatt/build/",
    "src/gigawatt/engine/base.py",
    "src/gigawatt/rank/",
    "src/gigawatt/sdk/",
    "src/gigawatt/service/",
    "src/gigawatt/store/base.py",
)
SPEAKING = ("src/gigawatt/service/views/",)  # `job_view` is what it says
UNOPENED = ("tests/",)  # a test module's name and its tests say it

Named = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def test_every_module_opens_with_what_it_is_for() -> None:
    opened = (source for source in sources() if not source.path.startswith(UNOPENED))
    expect_none(fault for source in opened for fault in silent_modules(source))


def test_what_others_build_on_is_documented() -> None:
    relied_on = (
        source
        for source in sources()
        if source.path.startswith(DOCUMENTED) and not source.path.startswith(SPEAKING)
    )
    expect_none(fault for source in relied_on for fault in silent_names(source))


def test_a_module_without_a_docstring_is_found() -> None:
    assert silent_modules(sample("import os\n")) == ["src/gigawatt/model/sample.py"]
    assert silent_modules(sample('"""Why."""\n')) == []


def test_a_public_function_or_class_without_a_docstring_is_found() -> None:
    code = (
        '"""Why."""\ndef verb(): ...\nclass Noun:\n    """What."""\n'
        "    def act(self): ...\n    def _own(self): ...\ndef _helper(): ...\n"
    )
    assert [fault.split(": ")[1] for fault in silent_names(sample(code))] == ["verb"]
    assert silent_names(sample('def verb():\n    """Does."""\n')) == []
    assert silent_names(sample("@overload\ndef verb(): ...\n")) == []


def silent_modules(source: Source) -> list[str]:
    return [] if ast.get_docstring(source.tree) else [source.path]


def silent_names(source: Source) -> list[str]:
    return [
        f"{source.path}:{node.lineno}: {node.name}"
        for node in source.tree.body
        if isinstance(node, Named)
        and not node.name.startswith("_")
        and not ast.get_docstring(node)
        and not _is_plain_value(node)
        and not _is_overload(node)
    ]


def _is_overload(node: Named) -> bool:
    """A signature of a function whose implementation follows, and says what it does."""
    return any(ast.unparse(each) == "overload" for each in node.decorator_list)


def _is_plain_value(node: Named) -> bool:
    """A class of fields alone, whose names and types say it."""
    return isinstance(node, ast.ClassDef) and all(
        isinstance(line, ast.AnnAssign | ast.Assign) for line in node.body
    )
