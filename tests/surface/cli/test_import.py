"""`gw import`: YAML on stdout, talk on stderr, and nothing overwritten."""

import json
from pathlib import Path

from tests.surface.cli.conftest import Gw
from tests.surface.cli.double import ApiDouble

SCRIPT = "#!/bin/bash\n#SBATCH -J hello\n#SBATCH -p gpu\n#SBATCH -n 2\nsrun hostname\n"
YAML = """\
# Converted from hello.sbatch (sbatch).
# Not carried over as it stands:
#   --partition (line 3): has no counterpart -> nodes are chosen by what they have: gang.gpu_kinds,
#     and gang.same for one level of the topology
kind: job
name: hello
script: |
  hostname
gang:
  nodes: 1
  cpus: 2
  ranks_per_node: 2
bundle: .
"""


def test_the_yaml_goes_to_stdout_and_what_is_missing_to_stderr(gw: Gw) -> None:
    Path("hello.sbatch").write_text(SCRIPT)
    result = gw("import", "sbatch", "hello.sbatch")
    assert (result.exit_code, result.stdout) == (0, YAML)
    assert result.stderr.splitlines() == [
        "hello.sbatch:3: --partition: has no counterpart",
        "  instead: nodes are chosen by what they have: gang.gpu_kinds, and gang.same for one level of the topology",
        "try it out: gw run FILE --dry-run",
    ]


def test_what_is_imported_is_what_gw_run_takes(gw: Gw, api: ApiDouble) -> None:
    Path("hello.sbatch").write_text(SCRIPT)
    assert gw("import", "sbatch", "hello.sbatch", "--output", "job.yaml").exit_code == 0
    assert gw("run", "job.yaml").exit_code == 0
    (sent,) = api.sent("POST", "/v1/jobs")
    assert sent.json["script"] == "hostname\n"
    assert sent.json["gang"] == {"nodes": 1, "cpus": 2, "ranks_per_node": 2}


def test_a_file_that_is_there_is_not_overwritten_without_force(gw: Gw) -> None:
    Path("hello.sbatch").write_text(SCRIPT)
    Path("job.yaml").write_text("mine")
    refused = gw("import", "sbatch", "hello.sbatch", "--output", "job.yaml")
    assert (refused.exit_code, Path("job.yaml").read_text()) == (2, "mine")
    assert "add --force" in refused.stderr
    assert gw("import", "sbatch", "hello.sbatch", "--output", "job.yaml", "--force").exit_code == 0
    assert Path("job.yaml").read_text() == YAML


def test_programs_are_given_documents_and_notes(gw: Gw) -> None:
    result = gw(
        "import", "skypilot", "-", "--format", "json", stdin="run: echo\nfile_mounts: {a: b}\n"
    )
    found = json.loads(result.stdout)
    assert found["documents"] == [{"kind": "job", "script": "echo\n", "gang": {"nodes": 1}}]
    assert [(note["key"], note["line"]) for note in found["notes"]] == [("file_mounts", 2)]


def test_a_mistake_is_told_with_its_line_and_the_nearest_key(gw: Gw) -> None:
    Path("task.yaml").write_text("name: a\nrnu: echo\n")
    result = gw("import", "skypilot", "task.yaml")
    assert (result.exit_code, result.stdout) == (2, "")
    assert (
        result.stderr == "error: task.yaml:2: rnu is not a known key\nhint: did you mean 'run'?\n"
    )


def test_a_missing_file_and_an_unknown_system_are_told(gw: Gw) -> None:
    assert gw("import", "sbatch", "none").exit_code == 2
    result = gw("import", "torch", "none")
    assert (result.exit_code, "torchx" in result.stderr) == (2, True)
