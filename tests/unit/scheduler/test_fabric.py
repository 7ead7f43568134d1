"""What is said of where nodes stand."""

from gigawatt.scheduler.encode import encode_cold
from gigawatt.scheduler.fabric import domains_of
from tests.scenario.build import NOW_MS, make_node, make_world


def domains(ids: str, **places: str) -> dict[str, tuple[str, ...]]:
    nodes = [make_node(name, place=place) for name, place in places.items()]
    return dict(domains_of(encode_cold(make_world(nodes), NOW_MS).nodes, ids.split()))


def test_nodes_are_told_by_the_domains_that_hold_them_at_each_level() -> None:
    places = {"a": "s/h/p/l/r1", "b": "s/h/p/l/r2", "c": "s/h/p/m/r3"}
    assert domains("a b", **places) == {
        "site": ("s",),
        "hall": ("h",),
        "spine": ("p",),
        "leaf": ("l",),
        "rack": ("r1", "r2"),
    }
    assert domains("c", **places)["rack"] == ("r3",)


def test_names_that_two_domains_share_are_told_as_paths() -> None:
    told = domains("a b", a="s/h1///r1", b="s/h2///r1")
    assert told == {"site": ("s",), "hall": ("h1", "h2"), "rack": ("s/h1/r1", "s/h2/r1")}


def test_a_level_that_one_of_them_lacks_is_left_out() -> None:
    assert domains("a b", a="s/h1///r1", b="s/h1") == {"site": ("s",), "hall": ("h1",)}
