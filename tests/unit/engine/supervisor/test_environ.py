from gigawatt.engine.supervisor.environ import Site, rank_environ
from gigawatt.engine.supervisor.spec import RankSpec, StageSpec

SPEC = StageSpec(
    key="job-1.2",
    gang="job-1",
    attempt=2,
    kind="job",
    name="gpt",
    tenant="t",
    project="p",
    command=("true",),
    env={},
    nodes=("a", "b"),
    node_rank=1,
    world_size=4,
    ranks=(RankSpec(2, 0, ()), RankSpec(3, 1, ())),
    milli_cpu=500,
    memory_bytes=0,
    node_has_gpus=False,
    environment="",
    template="",
    workdir="",
    checkpoint_dir="",
    model_path="",
    resume_step=None,
    resume_path="",
    readiness=None,
    terminal=False,
    log_bytes_max=0,
    master_addr="10.0.0.1",
)
SITE = Site(
    instance="i1",
    node="b",
    python_dir="/py",
    report_dir="/report",
    secrets_dir="/secrets",
    secrets={},
    master_port=23_000,
    port=0,
)


def test_the_machines_variables_stay_and_an_outer_gigawatts_do_not() -> None:
    seen = rank_environ(SPEC, SPEC.ranks[0], SITE, {"HOME": "/h", "GIGAWATT_TOKEN": "outer"})
    assert seen["HOME"] == "/h"
    assert "GIGAWATT_TOKEN" not in seen


def test_what_the_user_sets_wins_over_the_machine_and_not_over_us() -> None:
    spec = SPEC._replace(env={"HOME": "/mine", "RANK": "9", "OMP_NUM_THREADS": "7"})
    seen = rank_environ(spec, spec.ranks[1], SITE, {"HOME": "/h"})
    assert (seen["HOME"], seen["RANK"], seen["OMP_NUM_THREADS"]) == ("/mine", "3", "7")


def test_a_rank_has_at_least_one_thread() -> None:
    assert rank_environ(SPEC, SPEC.ranks[0], SITE, {})["OMP_NUM_THREADS"] == "1"


def test_the_rank_module_comes_before_the_users_python_path() -> None:
    spec = SPEC._replace(env={"PYTHONPATH": "/mine"})
    assert rank_environ(spec, spec.ranks[0], SITE, {})["PYTHONPATH"] == "/py:/mine"
    assert rank_environ(SPEC, SPEC.ranks[0], SITE, {"PYTHONPATH": "/m"})["PYTHONPATH"] == "/py:/m"


def test_a_built_environment_does_not_see_the_machines_python_path() -> None:
    spec = SPEC._replace(environment="/env")
    base = {"PATH": "/bin", "PYTHONPATH": "/m", "PYTHONHOME": "/home"}
    seen = rank_environ(spec, spec.ranks[0], SITE, base)
    assert (seen["PATH"], seen["VIRTUAL_ENV"]) == ("/env/bin:/bin", "/env")
    assert seen["PYTHONPATH"] == "/py"
    assert "PYTHONHOME" not in seen


def test_what_is_not_there_is_not_set() -> None:
    seen = rank_environ(SPEC, SPEC.ranks[0], SITE, {})
    for name in ("RESUME_STEP", "CHECKPOINT_DIR", "MODEL_PATH", "PORT"):
        assert f"GIGAWATT_{name}" not in seen
    assert "PORT" not in seen


def test_step_zero_is_a_step_to_resume_from() -> None:
    spec = SPEC._replace(resume_step=0)
    assert rank_environ(spec, spec.ranks[0], SITE, {})["GIGAWATT_RESUME_STEP"] == "0"


def test_secrets_are_named_by_their_files() -> None:
    site = SITE._replace(secrets={"GIGAWATT_TOKEN": "t", "HF": "h"})
    seen = rank_environ(SPEC, SPEC.ranks[0], site, {})
    assert seen["GIGAWATT_TOKEN_FILE"] == "/secrets/GIGAWATT_TOKEN"
    assert seen["HF_FILE"] == "/secrets/HF"
