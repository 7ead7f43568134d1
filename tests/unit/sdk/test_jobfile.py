"""Job files on the client's side."""

from pathlib import Path
from typing import Any

import pytest

from gigawatt.model.refusal import RefusalError
from gigawatt.sdk.jobfile import Ready, Written, made_ready, read_file


def ready(directory: Path, text: str) -> Ready:
    file = directory / "job.yaml"
    file.write_text(text)
    (written,) = read_file(file)
    return made_ready(written)


def test_files_that_a_job_names_start_at_the_job_file(tmp_path: Path) -> None:
    (tmp_path / "r.txt").write_text("six\n")
    (tmp_path / "src").mkdir()
    found = ready(
        tmp_path,
        "command: python a.py\nbundle: src\nenvironment: {kind: uv, requirements_file: r.txt}\n",
    )
    environment = {"kind": "uv", "requirements": ["six"]}
    assert found == Ready(
        kind="job",
        fields={"command": "python a.py", "environment": environment},
        bundle=tmp_path / "src",
    )


def test_a_lock_is_sent_as_text_whether_it_was_a_path_or_text(tmp_path: Path) -> None:
    (tmp_path / "lock.txt").write_text("six==1.17.0\n")
    by_path = ready(tmp_path, "command: a\nenvironment: {kind: uv, lock: lock.txt}\n")
    as_text = ready(tmp_path, 'command: a\nenvironment: {kind: uv, lock: "six==1.17.0\\n"}\n')
    assert by_path.fields["environment"]["lock"] == "six==1.17.0\n"
    assert as_text == by_path


def test_a_digest_is_taken_as_the_bundle_that_it_is() -> None:
    fields = {"command": ["a"], "bundle": "sha256:" + "a" * 64}
    found = made_ready(Written(kind="job", fields=fields, base=Path()))
    assert found == Ready(kind="job", fields=fields, bundle=None)


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("command: a\nbundle: none\n", r"job\.yaml:2:1: bundle: no such directory: .*/none"),
        (
            "command: a\nenvironment:\n  kind: uv\n  lock: none.txt\n",
            r"job\.yaml:4:3: environment\.lock: no such file: .*/none\.txt",
        ),
        ("command: a\ngang: {nodes: 0}\n", r"job\.yaml:2:8: gang\.nodes must be from 1"),
        ("comand: a\n", r"job\.yaml:1:1: comand is not a known field"),
        ("command: [a\n", r"job\.yaml:2:1: is not YAML"),
        (
            "command: a\nenvironment: {kind: uv, requirements: [six], requirements_file: r.txt}\n",
            r"job\.yaml:2:46: .* exclude each other",
        ),
    ],
)
def test_what_is_wrong_is_found_here_with_line_and_column(
    tmp_path: Path, text: str, error: str
) -> None:
    with pytest.raises(RefusalError, match=error):
        ready(tmp_path, text)


def test_several_documents_are_read_in_their_order(tmp_path: Path) -> None:
    file = tmp_path / "all.yaml"
    file.write_text(
        "command: a\n---\nkind: endpoint\nname: e\nmodel: m\ncommand: b\n---\ncommand: c\n"
    )
    assert [each.kind for each in read_file(file)] == ["job", "endpoint", "job"]


def test_changes_are_merged_but_an_environment_is_replaced() -> None:
    fields: dict[str, Any] = {
        "gang": {"nodes": 2, "cpus": 1},
        "env": {"A": "1"},
        "environment": {"kind": "uv", "requirements": ["six"]},
    }
    written = Written(kind="job", fields=fields, base=Path())
    changes = {
        "gang": {"nodes": 4},
        "env": {"B": "2"},
        "environment": {"kind": "uv", "lock": "l"},
        "name": "x",
    }
    assert written.over(changes).fields == {
        "gang": {"nodes": 4, "cpus": 1},
        "env": {"A": "1", "B": "2"},
        "environment": {"kind": "uv", "lock": "l"},
        "name": "x",
    }
