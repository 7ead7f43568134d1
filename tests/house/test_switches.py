"""A check that is switched off, work that is put off and a wait that only sleeps each need a reason beside them."""

import ast
import io
import re
import tokenize

from tests.house.files import Source, expect_none, sample, sources

SWITCH = re.compile(r"#\s*(noqa|type:\s*ignore|pyright:|pragma:)")
RULE_AND_REASON = re.compile(
    r"#\s*(noqa: ?[A-Z0-9, ]*[0-9]|(type|pyright): ?ignore\[[\w, -]+\]|pragma: ?[a-z ]+[a-z])\s+(-|#) \S"
)
PUT_OFF = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
# Where tests look for an event again and again: each has a deadline, and nothing else sleeps.
POLLING = frozenset({"tests/waiting.py", "tests/postgres.py"})


def test_every_switched_off_check_says_why_and_which() -> None:
    expect_none(fault for source in sources() for fault in bare_switches(source))


def test_no_work_is_put_off_in_a_comment() -> None:
    expect_none(fault for source in sources() for fault in put_off(source))


def test_no_test_sleeps_to_wait() -> None:
    expect_none(fault for source in _tests() for fault in sleeps(source))


def test_no_test_replaces_our_own_functions() -> None:
    expect_none(fault for source in _tests() for fault in patches(source))


def test_a_switch_without_a_reason_or_a_rule_is_found() -> None:
    code = "a = 1  # noqa\nb = 1  # noqa: S101\nc = 1  # type: ignore[attr]\nd = 1  # noqa - why\n"
    assert len(bare_switches(sample(code))) == 4


def test_a_switch_with_a_rule_and_a_reason_is_let_through() -> None:
    code = "a = 1  # noqa: S101 - why\nb = 1  # pyright: ignore[reportX]  # why\nc = '# noqa'\n"
    assert bare_switches(sample(code)) == []


def test_a_put_off_comment_is_found() -> None:
    word = "TO" + "DO"
    assert put_off(sample(f"x = 1  # {word}: later\n")) != []
    assert put_off(sample(f"x = '{word}'\n")) == []


def test_a_sleep_is_found_and_giving_way_to_other_tasks_is_not_one() -> None:
    assert sleeps(sample("import time\ntime.sleep(1)", "tests/x.py")) == ["tests/x.py:2"]
    assert sleeps(sample("from time import sleep\nsleep(1)", "tests/x.py")) == ["tests/x.py:2"]
    assert sleeps(sample("await asyncio.sleep(0)", "tests/x.py")) == []


def test_a_patch_of_our_own_and_any_mock_is_found() -> None:
    ours = "from gigawatt import clock\ndef test(monkeypatch):\n    monkeypatch.setattr(clock, 'now_ms', f)"
    named = "def test(monkeypatch):\n    monkeypatch.setattr('gigawatt.clock.now_ms', f)"
    mock = "from unittest import mock\n"
    for code in (ours, named, mock):
        assert patches(sample(code, "tests/x.py")) != []
    assert patches(sample("def test(m):\n    m.setenv('gigawatt', 'x')", "tests/x.py")) == []


def bare_switches(source: Source) -> list[str]:
    return [
        f"{source.path}:{line}: {comment}"
        for line, comment in _comments(source)
        if SWITCH.search(comment) and not RULE_AND_REASON.search(comment)
    ]


def put_off(source: Source) -> list[str]:
    return [
        f"{source.path}:{line}" for line, comment in _comments(source) if PUT_OFF.search(comment)
    ]


def sleeps(source: Source) -> list[str]:
    if source.path in POLLING:
        return []
    return [
        f"{source.path}:{node.lineno}"
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Call)
        and ast.unparse(node.func).rsplit(".", 1)[-1] == "sleep"
        and not (len(node.args) == 1 and ast.unparse(node.args[0]) == "0")
    ]


def patches(source: Source) -> list[str]:
    ours = _names_of_ours(source)
    faults: list[str] = []
    for node in ast.walk(source.tree):
        if isinstance(node, ast.ImportFrom | ast.Import) and "mock" in ast.unparse(node):
            faults.append(f"{source.path}:{node.lineno}: {ast.unparse(node)}")
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith(".setattr"):
            target = ast.unparse(node.args[0])
            if target.split(".")[0] in ours or target.strip("'\"").startswith("gigawatt"):
                faults.append(f"{source.path}:{node.lineno}: {ast.unparse(node)}")
    return faults


def _tests() -> list[Source]:
    return [source for source in sources() if source.path.startswith("tests/")]


def _comments(source: Source) -> list[tuple[int, str]]:
    tokens = tokenize.generate_tokens(io.StringIO(source.text).readline)
    return [(token.start[0], token.string) for token in tokens if token.type == tokenize.COMMENT]


def _names_of_ours(source: Source) -> set[str]:
    return {
        alias.asname or alias.name.split(".")[0]
        for node in ast.walk(source.tree)
        if (isinstance(node, ast.ImportFrom) and (node.module or "").startswith("gigawatt"))
        or (isinstance(node, ast.Import) and node.names[0].name.startswith("gigawatt"))
        for alias in node.names
    }
