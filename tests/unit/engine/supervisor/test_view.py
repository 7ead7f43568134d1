"""What a walled attempt sees, as words for bubblewrap, in the order in which they lie over each other."""

from pathlib import Path

import pytest

from gigawatt.engine.supervisor import view
from gigawatt.engine.supervisor.spec import Shown, StageSpec, Walls, parse_stage
from tests.contract.engine.peer import a_spec

RAW = a_spec("j.1", "true", tenant="a")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A person's directory, with that of gigawatt in it and an attempt's in that."""
    for name in ("work", "report", "home", "tmp", "etc"):
        (tmp_path / "person" / "data" / "attempt" / name).mkdir(parents=True)
    for name in ("python", "shm", "secrets", "models", "checkpoints"):
        (tmp_path / "person" / "data" / name).mkdir()
    return tmp_path / "person"


def own_of(home: Path) -> view.Own:
    data = home / "data"
    return view.Own(
        directory=data / "attempt",
        python=data / "python",
        shm=data / "shm",
        etc=data / "etc",
        secrets=data / "secrets",
    )


def walls_of(home: Path, *, uid: int = 0) -> Walls:
    shows = (Shown(str(home), writable=True),)
    return Walls("process", "bwrap", uid, shows, (str(home / "data"),), 100)


def spec_of(**fields: object) -> StageSpec:
    return parse_stage({**RAW, **fields})


def test_what_is_hidden_lies_over_what_is_shown_and_under_what_is_its_own(home: Path) -> None:
    data = home / "data"
    spec = spec_of(model_path=str(data / "models"), checkpoint_dir=str(data / "checkpoints"))
    words = view.words(spec, walls_of(home), own_of(home), {})
    shown = words.index(str(home))
    hidden = next(at for at in range(len(words)) if words[at : at + 2] == ("--tmpfs", str(data)))
    weights = words.index(str(data / "models"))
    assert words[shown - 1] == "--bind"
    assert shown < hidden < weights
    assert words[weights - 1] == "--ro-bind"
    assert words[words.index(str(data / "checkpoints")) - 1] == "--bind"
    assert words[words.index(str(data / "secrets")) - 1] == "--ro-bind"


def test_a_python_within_another_that_is_shown_is_not_shown_again(home: Path) -> None:
    (home / "outer" / "bin").mkdir(parents=True)
    (home / "outer" / "pyvenv.cfg").write_text("")
    (home / "outer" / "lib" / "programs").mkdir(parents=True)
    path = f"{home}/outer/lib/programs:{home}/outer/bin"
    words = view.words(spec_of(), walls_of(home), own_of(home), {"PATH": path})
    assert str(home / "outer") in words
    assert str(home / "outer" / "lib" / "programs") not in words


def test_a_user_of_its_own_needs_no_user_name_space(home: Path) -> None:
    assert "--unshare-user" in view.words(spec_of(), walls_of(home), own_of(home), {})
    assert "--unshare-user" not in view.words(spec_of(), walls_of(home, uid=7), own_of(home), {})


def test_a_directory_counts_as_seen_only_where_nothing_hides_it(home: Path) -> None:
    def seen(path: Path) -> bool:
        return view.visible(str(path), spec_of(), walls_of(home), own_of(home))

    data = home / "data"
    assert [
        seen(path)
        for path in (home / "project", Path("/usr/share"), data / "attempt" / "work" / "x")
    ] == [True, True, True]
    assert [seen(path) for path in (data, data / "models", Path("/root"), home.parent)] == [
        False
    ] * 4
