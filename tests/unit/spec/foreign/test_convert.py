"""Files of other systems: every fixture becomes what our own parser takes, and says what it leaves out."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.spec.documents import read_documents
from gigawatt.spec.foreign.convert import KINDS, Imported, convert

FILES = Path(__file__).with_name("files")
KIND_OF = {"sbatch": "sbatch", "sky": "skypilot", "dstack": "dstack", "torchx": "torchx"}
PARAMETERS = sorted(path.name for path in FILES.iterdir())


def imported(name: str) -> Imported:
    kind = next(kind for part, kind in KIND_OF.items() if part in name.split("."))
    return convert(kind, (FILES / name).read_text(), name)


def only(name: str) -> dict[str, Any]:
    (document,) = imported(name).documents
    return document


def refused(kind: str, text: str) -> RefusalError:
    with pytest.raises(RefusalError) as caught:
        convert(kind, text, "file")
    return caught.value


@pytest.mark.parametrize("name", PARAMETERS)
def test_what_comes_out_reads_back_to_the_same_documents(name: str) -> None:
    found = imported(name)
    read = read_documents(found.text, "out.yaml")
    assert tuple(document.data for document in read) == found.documents


@pytest.mark.parametrize("name", PARAMETERS)
def test_every_note_stands_at_the_top_as_a_comment(name: str) -> None:
    found = imported(name)
    head = found.text.split("\nkind:")[0]
    assert all(line.startswith("#") for line in head.splitlines())
    words = " ".join(line.lstrip("# ") for line in head.splitlines())
    assert all(note.key in words and note.detail.split()[0] in words for note in found.notes)


@pytest.mark.parametrize("name", PARAMETERS)
def test_the_same_file_gives_the_same_bytes(name: str) -> None:
    assert imported(name).text == imported(name).text


def test_a_srun_of_torchrun_becomes_ranks_and_the_search_for_the_head_node_goes() -> None:
    assert only("ddp.sbatch") == {
        "kind": "job",
        "name": "multinode-example",
        "script": 'export LOGLEVEL=INFO\n\npython train.py 50 "$LOGLEVEL" 10\n',
        "gang": {"nodes": 4, "cpus": 8, "memory": "64GiB", "gpus": 2, "ranks_per_node": 2},
        "bundle": ".",
        "timeout": "1d2h30m",
    }


def test_a_srun_becomes_its_command_and_slurms_variables_ours() -> None:
    job = only("srun.sbatch")
    assert job["script"].splitlines() == [
        "# Slurm's variables, from this system's",
        'export SLURM_ARRAY_TASK_ID="$GIGAWATT_ARRAY_INDEX"',
        'export SLURM_PROCID="$RANK"',
        "module load cuda",
        "python prepare.py",
        'python train.py --rank $SLURM_PROCID --part $SLURM_ARRAY_TASK_ID --lr "$LR" | tee train.log',
    ]
    assert job["gang"] == {
        "nodes": 2,
        "cpus": 8,
        "memory": "16GiB",
        "gpus": 4,
        "ranks_per_node": 4,
    }
    told = {note.key: note for note in imported("srun.sbatch").notes}
    assert set(told) == {"--gres", "--dependency", "--export", "--signal", "script"}
    assert (told["--dependency"].line, told["--signal"].line) == (8, 10)
    assert any("line 17" in note.detail for note in imported("srun.sbatch").notes)
    fields = {name: job[name] for name in ("array", "bundle", "env", "timeout", "grace", "retries")}
    assert fields == {
        "array": "0-9%2",
        "bundle": "code",
        "env": {"LR": "3e-4"},
        "timeout": "1h30m",
        "grace": "2m",
        "retries": {"infrastructure": 0},
    }


def test_a_script_that_starts_nothing_is_one_rank_with_all_the_cpus() -> None:
    found = imported("plain.sbatch")
    assert found.documents[0]["gang"] == {"nodes": 1, "cpus": 4, "memory": "500MiB"}
    assert "srun = yes" in found.documents[0]["script"]  # inside a here-document
    assert found.notes == ()


def test_a_skypilot_task_becomes_a_job_with_an_environment() -> None:
    assert only("task.sky.yaml") == {
        "kind": "job",
        "name": "mingpt-ddp",
        "script": 'echo "Starting distributed training, head node: $MASTER_ADDR"\n'
        "python main.py --size ${MODEL_SIZE}\n",
        "gang": {"nodes": 2, "cpus": 16, "memory": "64GiB", "gpus": 8, "ranks_per_node": 8},
        "environment": {"kind": "uv", "requirements_file": "~/code/requirements.txt"},
        "bundle": "~/code",
        "env": {"MODEL_SIZE": "13b", "STEPS": "1e3"},
        "retries": {"user": 3},
    }


def test_secrets_are_not_copied_and_are_told() -> None:
    found = imported("task.sky.yaml")
    keys = [note.key for note in found.notes if note.key.startswith("envs.")]
    assert keys == ["envs.HF_TOKEN", "envs.WANDB_API_KEY", "envs.CUDA_VISIBLE_DEVICES"]
    assert "secret-value" not in found.text


def test_a_value_that_the_other_system_fills_in_is_not_copied() -> None:
    text = "type: task\ncommands: [x]\nenv: {A: '${{ secrets.a }}', B: c}\n"
    found = convert("dstack", text, "file")
    assert found.documents[0]["env"] == {"B": "c"}
    assert [(note.key, note.line) for note in found.notes] == [("env.A", 3)]


def test_a_skypilot_service_becomes_an_endpoint_on_the_given_port() -> None:
    endpoint = only("service.sky.yaml")
    command = "vllm serve Qwen/Qwen3-8B --port $PORT --host 127.0.0.1\n"
    assert endpoint == {
        "kind": "endpoint",
        "name": "vllm",
        "model": "vllm",
        "replicas": {"min": 0, "max": 3},
        "idle": "20m",
        "readiness": {"path": "/v1/models", "timeout": "20m"},
        "command": ["bash", "-c", command],
        "gang": {"nodes": 1, "gpus": 1},
        "environment": {"kind": "uv", "requirements": ["vllm==0.9"]},
    }


def test_the_tasks_of_a_pipeline_come_after_each_other() -> None:
    first, second = imported("pipeline.sky.yaml").documents
    assert (first["name"], second["name"], second["after"]) == ("train", "eval", ["train"])


def test_a_dstack_task_becomes_a_job_of_its_ranges_lower_ends() -> None:
    assert only("task.dstack.yml") == {
        "kind": "job",
        "name": "train-distrib",
        "script": "python multinode.py 50 10\n",
        "gang": {"nodes": 2, "cpus": 8, "memory": "32GiB", "gpus": 2, "ranks_per_node": 2},
        "environment": {"kind": "uv", "python": "3.10", "requirements": ["torch", "numpy"]},
        "bundle": ".",
        "env": {"NCCL_DEBUG": "INFO"},
        "timeout": "12h",
    }


def test_a_dstack_schedule_is_told_as_the_command_that_makes_one() -> None:
    text = "type: task\nname: nightly\ncommands: [x]\nschedule:\n  cron: ['0 8 * * *', '@daily']\n"
    notes = [note for note in convert("dstack", text, "file").notes if note.key == "schedule.cron"]
    assert [(note.line, note.advice) for note in notes] == [
        (5, '`gw schedules create nightly --cron "0 8 * * *" FILE`'),
        (5, '`gw schedules create nightly --cron "0 0 * * *" FILE`'),
    ]


def test_a_dstack_service_becomes_an_endpoint() -> None:
    endpoint = only("service.dstack.yml")
    assert endpoint["served_name"] == "Qwen/Qwen3-8B"
    assert endpoint["replicas"] == {"min": 0, "max": 2}
    assert (endpoint["idle"], endpoint["readiness"]) == ("5m", {"path": "/health_generate"})
    assert "--port $PORT" in endpoint["command"][2]


def test_an_appdef_becomes_a_job_for_each_role() -> None:
    trainer, reader = imported("app.torchx.json").documents
    assert trainer["script"] == "python train.py --epochs 3\n"
    assert trainer["gang"] == {
        "nodes": 2,
        "cpus": 8,
        "gpus": 4,
        "memory": "32GiB",
        "ranks_per_node": 4,
    }
    assert reader["name"] == "trainer-reader"
    assert reader["script"] == "python read.py --id \"$RANK\" 'it'\"'\"'s'\n"


def test_the_arguments_of_a_component_become_a_job() -> None:
    assert only("run.torchx.yaml") == {
        "kind": "job",
        "name": "dist-app",
        "command": ["python", "dist_app.py", "--lr", "3e-4"],
        "gang": {"nodes": 2, "cpus": 2, "memory": "1GiB", "gpus": 4, "ranks_per_node": 4},
        "env": {"LOGLEVEL": "INFO", "A": "b"},
        "bundle": ".",
    }


HEAD = "#!/bin/bash\n"


def test_a_dev_environment_becomes_a_workspace() -> None:
    found = imported("dev.dstack.yml")
    assert found.documents == (
        {
            "kind": "workspace",
            "name": "lab",
            "program": "vscode",
            "gang": {"cpus": 8, "memory": "64GiB", "gpus": 1},
            "environment": {"kind": "uv", "python": "3.12", "requirements": ["torch", "wandb"]},
            "bundle": ".",
            "env": {"MODE": "dev"},
            "volumes": [{"volume": "datasets", "path": "data", "mode": "rw"}],
            "idle": "2h",
            "lease": "12h",
        },
    )
    assert [note.key for note in found.notes] == ["ide", "volumes"]


REFUSED = [
    ("sbatch", HEAD + "#SBATCH --nodess=2\n", "file:2: --nodess is not an option of sbatch", "nodes"),
    ("sbatch", HEAD + "#SBATCH -Y 2\n", "file:2: -Y is not an option", "-N"),
    ("sbatch", HEAD + "#SBATCH --time=soon\n", "file:2: --time is not a time: 'soon'", "days-hours"),
    ("sbatch", HEAD + "#SBATCH --nodes=0\n", "file:2: --nodes is not a number of nodes", "2-4"),
    ("sbatch", HEAD + "#SBATCH --nodes=4-2\n", "file:2: --nodes is not a number", "2-4"),
    ("sbatch", HEAD + "#SBATCH -n 10\n#SBATCH -N 4\n", "file:2: --ntasks is 10", "--ntasks-per-node"),
    ("sbatch", HEAD + "#SBATCH -n -3\n", "file:2: --ntasks must be a whole number", ""),
    ("sbatch", HEAD + "#SBATCH --mem=lots\n", "file:2: --mem is not an amount", "16G"),
    ("sbatch", HEAD + "#SBATCH --gres=gpu:a:b\n", "file:2: --gres is not understood", "gpu:2"),
    ("sbatch", HEAD + "#SBATCH -N 2 -G 3\n", "file:2: --gpus is 3", "--gpus-per-node"),
    ("sbatch", HEAD + "#SBATCH --nodes\n", "file:2: --nodes has no value", "--nodes=VALUE"),
    ("sbatch", HEAD + "#SBATCH hetjob\n", "file:2: #SBATCH hetjob", "one by one"),
    ("sbatch", "echo hello\n", "file:1: the first line", "#!/bin/bash"),
    ("sbatch", HEAD, "file: the job cannot be one here: script must not be empty", ""),
    ("skypilot", "rnu: x\n", "file:1: rnu is not a known key", "run"),
    ("skypilot", "run: x\nresources:\n  acelerators: A\n", "file:3: resources.acelerators", "accel"),
    ("skypilot", "run: x\nnum_nodes: 0\n", "file:2: num_nodes must be a whole number", ""),
    ("skypilot", "run: x\nresources: [1]\n", "file:2: resources must be a mapping", ""),
    ("skypilot", "run: x\nresources: {accelerators: 'A:x'}\n", "file:2: resources.accel", "H100:8"),
    ("skypilot", "run: x\nresources: {memory: big}\n", "file:2: resources.memory is not", "GB"),
    ("skypilot", "name: a\n", "file:1: run is missing", "run: |"),
    ("skypilot", "- a\n", "file:1:1: a document must be a mapping", ""),
    ("dstack", "type: fleet\n", "file:1: type is not a run's: 'fleet'", "task"),
    ("dstack", "commands: [x]\n", "file:1: type is missing", "task"),
    ("dstack", "type: dev-environment\nidee: vscode\n", "file:2: idee is not a known key", "ide"),
    ("dstack", "type: dev-environment\nmax_duration: long\n", "file:2: max_duration", "2h"),
    ("dstack", "type: task\nimage: x\n", "file:1: commands is missing", "commands"),
    (
        "dstack",
        "type: task\ncommands: [x]\nschedule: {cron: 61 * * * *}\n",
        "file:3: schedule.cron has a minute that is not allowed",
        "0 to 59",
    ),
    ("dstack", "type: task\ncommand: [x]\n", "file:2: command is not a known key", "commands"),
    ("dstack", "type: task\ncommands: [x]\nmax_duration: long\n", "file:3: max_duration", "2h"),
    ("torchx", "name: a\n", "file:1: roles is missing or empty", "component_name"),
    ("torchx", "roles: [{name: a}]\n", "file:1: roles.0.entrypoint is missing", "program"),
    ("torchx", "component_name: dist.dpp\ncomponent_args: {}\n", "file:1: component_name", "dist.ddp"),
    ("torchx", "component_name: dist.ddp\ncomponent_args: {j: 2y}\n", "file:2: component_args.j", "2x4"),
    ("torchx", '{"roles": [', "file:1:", ""),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "text", "detail", "hint"), REFUSED)
def test_a_mistake_is_refused_with_its_line_and_what_is_allowed(
    kind: str, text: str, detail: str, hint: str
) -> None:
    error = refused(kind, text)
    assert error.detail.startswith(detail), error.detail
    assert hint in error.hint


def test_an_unknown_system_a_huge_file_and_a_binary_one_are_refused() -> None:
    assert refused("sbach", "x").hint == "did you mean 'sbatch'?"
    assert refused("sbatch", "#" * 2_000_000).code is RefusalCode.TOO_LARGE
    assert refused("sbatch", "#!/bin/bash\n\0").detail == "file is not a text file"


def test_what_no_job_can_be_is_refused_when_it_is_converted() -> None:
    error = refused("skypilot", "name: a\nrun: x\nresources: {accelerators: A100:1.5}\n")
    assert "gang.gpus above 1 must be whole" in error.detail


@given(st.sampled_from(KINDS), st.text(max_size=200))
def test_any_text_is_converted_or_refused(kind: str, text: str) -> None:
    for whole in (text, "#!/bin/bash\n#SBATCH -N 2\n" + text):
        try:
            found = convert(kind, whole, "file")
        except RefusalError:
            continue
        read = read_documents(found.text, "out.yaml")
        assert [document.data for document in read] == list(found.documents)


YAML_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 99) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3)
    ),
    max_leaves=6,
)
KEYS = st.sampled_from(
    [
        *(
            "type",
            "name",
            "run",
            "setup",
            "workdir",
            "num_nodes",
            "resources",
            "envs",
            "service",
            "env",
        ),
        *("commands", "nodes", "replicas", "model", "port", "probes", "scaling", "repos", "files"),
        *(
            "roles",
            "component_name",
            "component_args",
            "max_duration",
            "python",
            "secrets",
            "priority",
        ),
    ]
)


@given(st.sampled_from(KINDS[1:]), st.dictionaries(KEYS, YAML_VALUES, max_size=6))
def test_any_values_under_known_keys_are_converted_or_refused(
    kind: str, values: dict[str, Any]
) -> None:
    base = {"skypilot": {"run": "x"}, "dstack": {"type": "task", "commands": ["x"]}, "torchx": {}}
    try:
        convert(kind, json.dumps({**base[kind], **values}), "file")
    except RefusalError as error:
        assert error.detail
