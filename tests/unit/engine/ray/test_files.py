"""What the engine keeps of a Ray cluster: its nodes, and where attempts may run."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from gigawatt.engine.local.launching import Part
from gigawatt.engine.local.remains import logs_of
from gigawatt.engine.ray.files import Files, token_of
from gigawatt.model.launch import AttemptKey
from tests.unit.engine.ray.test_facts import some_facts


def test_nodes_are_kept_until_they_are_forgotten(tmp_path: Path) -> None:
    files = Files(tmp_path)
    assert files.nodes() == []
    files.make()
    files.keep_node(some_facts(node="n1"))
    files.keep_node(some_facts(node="n2"))
    files.keep_node(some_facts(node="n1", port=5000))
    assert [(each.node, each.port) for each in Files(tmp_path).nodes()] == [
        ("n1", 5000),
        ("n2", 4000),
    ]
    files.forget_nodes()
    assert files.nodes() == []


def test_an_attempt_may_run_on_its_nodes_until_it_is_forgotten(tmp_path: Path) -> None:
    files = Files(tmp_path)
    files.make()
    key = AttemptKey(gang="job-1", attempt=2)
    volume = {"name": "v", "path": "v", "source": str(tmp_path / "tree")}
    files.note_attempt(key, {n: {"nodes": ("n1", "n2"), "volumes": [volume]} for n in ("n1", "n2")})
    (opening,) = Files(tmp_path).openings("n2")
    assert opening["spec"] == {"key": "job-1.2", "nodes": ["n1", "n2"], "volumes": [volume]}
    assert files.openings("n3") == []
    files.forget_attempt(key)
    files.forget_attempt(key)
    assert files.openings("n2") == []
    assert logs_of(tmp_path) == {}


def test_an_attempt_that_is_launched_more_than_once_at_a_time_is_noted(tmp_path: Path) -> None:
    files = Files(tmp_path)
    files.make()
    parts: dict[str, Part] = {"n1": {"nodes": ("n1",), "volumes": []}}
    keys = [AttemptKey(gang=f"job-{number}", attempt=1) for number in range(50)]
    with ThreadPoolExecutor(8) as threads:
        for key in keys:
            list(threads.map(files.note_attempt, [key] * 8, [parts] * 8))
    assert len(files.openings("n1")) == len(keys)


def test_each_node_has_a_token_of_its_own_that_stays(tmp_path: Path) -> None:
    files = Files(tmp_path)
    files.make()
    token = files.token_of("n1")
    files.make()
    assert Files(tmp_path).token_of("n1") == token == token_of(files.secret(), "n1")
    assert files.token_of("n2") != token
    for path in (files.root / "secret", files.make_token()):
        assert path.stat().st_mode & 0o077 == 0
