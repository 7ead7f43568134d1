"""What a lock says, and how two differ."""

from gigawatt.build.locks import Change, LockDiff, Pin, diff_locks, pins

LOCK = """\
# a comment
numpy==2.0 \\
    --hash=sha256:00 \\
    --hash=sha256:11
Typing_Extensions==4.1 ; python_version < "3.12"
tool[extra] @ https://example.com/tool-1-py3-none-any.whl
--index-url https://example.com/simple
"""


def test_pins_have_normal_names_and_versions_or_addresses() -> None:
    assert pins(LOCK) == (
        Pin(name="numpy", version="2.0"),
        Pin(name="tool", version="https://example.com/tool-1-py3-none-any.whl"),
        Pin(name="typing-extensions", version="4.1"),
    )


def test_a_difference_is_what_came_what_went_and_what_changed() -> None:
    assert diff_locks("a==1\nb==1\nc==1\n", "b==2\nc==1\nd==1\n") == LockDiff(
        added=(Pin(name="d", version="1"),),
        removed=(Pin(name="a", version="1"),),
        changed=(Change(name="b", before="1", after="2"),),
        same=1,
    )


def test_a_lock_differs_from_itself_in_nothing() -> None:
    assert diff_locks(LOCK, LOCK) == LockDiff(added=(), removed=(), changed=(), same=3)
