"""Inside, a value is a keyword-only, slotted, frozen dataclass."""

import ast

from tests.house.files import PURE, Source, expect_none, sample, sources

# What changes in place, by design: the world that the leader alone writes with what it remembers of runs, what one turn
# or one round gathers or has worked out already, and rows that are kept up to date from cycle to cycle.
MUTABLE = {
    "src/gigawatt/reconcile/turn.py": {"Turn"},
    "src/gigawatt/scheduler/encode_nodes.py": {"NodeRows"},
    "src/gigawatt/scheduler/index.py": {"Standing"},
    "src/gigawatt/scheduler/round.py": {"Refused"},
    "src/gigawatt/scheduler/sight.py": {"Plain"},
    "src/gigawatt/model/change.py": {"Batch"},
    "src/gigawatt/model/pace.py": {"Pace", "RankPace"},
    "src/gigawatt/model/trial.py": {"Trials"},
    "src/gigawatt/model/world.py": {"World"},
}


def test_every_dataclass_is_slotted_and_keyword_only() -> None:
    src = (source for source in sources() if source.path.startswith("src/"))
    expect_none(fault for source in src for fault in loose_dataclasses(source))


def test_the_values_of_the_pure_packages_are_frozen() -> None:
    pure = (source for source in sources() if source.package in PURE)
    expect_none(fault for source in pure for fault in thawed_dataclasses(source))


def test_a_dataclass_without_slots_or_with_positional_fields_is_found() -> None:
    bare = "@dataclass\nclass A:\n    x: int\n"
    positional = "@dataclass(frozen=True, slots=True)\nclass A:\n    x: int\n"
    whole = "@dataclass(frozen=True, slots=True, kw_only=True)\nclass A:\n    x: int\n"
    assert loose_dataclasses(sample(bare)) == [
        "src/gigawatt/model/sample.py:2: A lacks kw_only, slots"
    ]
    assert loose_dataclasses(sample(positional)) == [
        "src/gigawatt/model/sample.py:2: A lacks kw_only"
    ]
    assert loose_dataclasses(sample(whole)) == []


def test_a_dataclass_that_is_not_frozen_is_found_unless_it_is_listed() -> None:
    code = "@dataclass(slots=True, kw_only=True)\nclass World:\n    x: int\n"
    assert thawed_dataclasses(sample(code)) == ["src/gigawatt/model/sample.py:2: World"]
    assert thawed_dataclasses(sample(code, "src/gigawatt/model/world.py")) == []


def loose_dataclasses(source: Source) -> list[str]:
    faults: list[str] = []
    for node, options in _dataclasses(source):
        lacking = sorted({"slots", "kw_only"} - options)
        if lacking:
            faults.append(f"{source.path}:{node.lineno}: {node.name} lacks {', '.join(lacking)}")
    return faults


def thawed_dataclasses(source: Source) -> list[str]:
    listed = MUTABLE.get(source.path, set())
    return [
        f"{source.path}:{node.lineno}: {node.name}"
        for node, options in _dataclasses(source)
        if "frozen" not in options and node.name not in listed
    ]


def _dataclasses(source: Source) -> list[tuple[ast.ClassDef, set[str]]]:
    """Each public one with the options that are switched on; a private one is some function's own business."""
    found: list[tuple[ast.ClassDef, set[str]]] = []
    for node in ast.walk(source.tree):
        if not isinstance(node, ast.ClassDef) or node.name.startswith("_"):
            continue
        for decorator in node.decorator_list:
            call = decorator if isinstance(decorator, ast.Call) else None
            if ast.unparse(call.func if call else decorator).endswith("dataclass"):
                options = {keyword.arg or "" for keyword in call.keywords} if call else set[str]()
                found.append((node, options))
    return found
