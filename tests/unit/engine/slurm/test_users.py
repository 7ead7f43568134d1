"""Whose a job is."""

from pathlib import Path

import pytest

from gigawatt.engine.slurm.batch import Batch
from gigawatt.engine.slurm.users import NoUserError, Users, read_users, unix_user
from gigawatt.model.gang import GangKind
from gigawatt.model.launch import Launch
from gigawatt.model.refusal import RefusalError
from gigawatt.model.resources import Resources


def a_launch(tenant: str, user: str) -> Launch:
    return Launch(
        gang="g",
        attempt=1,
        kind=GangKind.JOB,
        name="x",
        tenant=tenant,
        project="p",
        command=("true",),
        env=(),
        placements=(),
        per_rank=Resources(),
        user=user,
    )


def test_a_user_goes_before_all_of_a_tenant(tmp_path: Path) -> None:
    path = tmp_path / "users"
    path.write_text("acme/alice games  # ours\n\nacme/* nobody\n")
    users = read_users(str(path))
    assert users.of(a_launch("acme", "alice")).name == "games"
    assert users.of(a_launch("acme", "bob")).name == "nobody"
    with pytest.raises(NoUserError, match="no Unix user is named for lab/alice"):
        users.of(a_launch("lab", "alice"))


def test_nobody_is_root_and_by_the_same_name_nobody_is_a_user_of_the_system(tmp_path: Path) -> None:
    path = tmp_path / "users"
    path.write_text("acme/* root\n")
    with pytest.raises(NoUserError, match="root"):
        read_users(str(path)).of(a_launch("acme", "alice"))
    for name in ("root", "daemon", "no-such-user", ""):
        with pytest.raises(NoUserError):
            Users().of(a_launch("acme", name))


@pytest.mark.parametrize("text", ["alice\n", "acme/alice bob carol\n", "acme alice\n", "a/b/c d\n"])
def test_a_file_that_says_something_else_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "users"
    path.write_text(text)
    with pytest.raises(RefusalError, match="line 1"):
        read_users(str(path))
    with pytest.raises(RefusalError, match="cannot be read"):
        read_users(str(tmp_path / "nowhere"))


def test_a_users_job_is_submitted_as_theirs_with_nothing_of_ours() -> None:
    nobody = unix_user("nobody")
    batch = Batch(
        name="x",
        nodes=("n1",),
        cpus=1,
        memory_mib=0,
        gpu_kind="",
        gpus=0,
        script="",
        output="/out",
        user=nobody,
    )
    assert {f"--uid={nobody.uid}", f"--gid={nobody.gid}", "--chdir=/"} <= set(batch.arguments())
    assert set(nobody.environ) == {"HOME", "LOGNAME", "PATH", "SHELL", "USER"}
