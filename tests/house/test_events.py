"""What the loop says to have happened is in the one table of kinds of events, by which people ask for them."""

import ast

from gigawatt.model.event import KINDS
from tests.house.files import Source, expect_none, sample, sources


def test_every_kind_that_is_emitted_is_in_the_table() -> None:
    expect_none(fault for source in sources() for fault in unlisted_kinds(source, set(KINDS)))


def test_every_kind_of_the_table_is_one_sentence_and_begins_with_its_subject() -> None:
    for kind, meaning in KINDS.items():
        subject, dot, what = kind.partition(".")
        assert subject.isalpha() and dot and what.replace("_", "").isalpha(), kind
        assert meaning.endswith(".") and meaning[0].isupper(), kind


def test_a_kind_that_is_not_in_the_table_is_found() -> None:
    code = 'turn.emit("a.b", x)\nturn.emit(f"job.{phase}", x)\nturn.emit(f"{noun}.ran", x)\n'
    assert unlisted_kinds(sample(code), {"a.b", "job.c", "job.ran"}) == []
    assert [fault.rsplit(" ", 1)[1] for fault in unlisted_kinds(sample(code), {"a.c"})] == [
        "a.b",
        "job.*",
        "*.ran",
    ]


def unlisted_kinds(source: Source, table: set[str]) -> list[str]:
    """Of a kind that is put together when it runs, the parts that stand there are looked for."""
    return [
        f"{source.path}:{line}: {kind}"
        for line, kind in _emitted(source)
        if not any(_matches(kind, each) for each in table)
    ]


def _emitted(source: Source) -> list[tuple[int, str]]:
    found: list[tuple[int, str]] = []
    for node in ast.walk(source.tree):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        if node.func.attr != "emit" or not node.args or not source.path.startswith("src/"):
            continue
        found += [(node.lineno, kind) for kind in _texts(node.args[0])]
    return sorted(found)


def _texts(node: ast.expr) -> list[str]:
    match node:
        case ast.Constant(value=str() as text):
            return [text]
        case ast.JoinedStr():
            parts = [part.value if isinstance(part, ast.Constant) else "*" for part in node.values]
            return ["".join(str(part) for part in parts)]
        case ast.IfExp():
            return [*_texts(node.body), *_texts(node.orelse)]
        case _:
            return []


def _matches(kind: str, known: str) -> bool:
    before, star, after = kind.partition("*")
    return known.startswith(before) and known.endswith(after) if star else kind == known
