from gigawatt.model.node import NodeReport
from gigawatt.twin.failures import (
    Cause,
    DomainRate,
    FailureRate,
    Failures,
    Lemons,
    Repair,
    Unit,
)
from gigawatt.twin.site import NodeGroup, build_site

HOUR_MS = 3_600_000
AT_ONCE = Repair(median_ms=1000, p90_ms=1000)
HOURLY = FailureRate(mean_between_ms=HOUR_MS, repair=AT_ONCE)


def site(nodes: int = 8) -> tuple[NodeReport, ...]:
    return build_site(NodeGroup(nodes=nodes, cores=8, memory_bytes=1 << 30, nodes_per_rack=4))


def unit(failures: Failures, name: str) -> Unit:
    return next(unit for unit in failures.units if unit.name == name)


def test_a_node_fails_at_its_own_times_whatever_the_others_do() -> None:
    alone, mixed = (Failures(site(), HOURLY, seed=1) for _ in range(2))
    one, other = unit(alone, "node-1"), unit(mixed, "node-0")
    first = [alone.next_of(one) for _ in range(5)]
    both = [mixed.next_of(each) for _ in range(5) for each in (other, one)]
    assert both[1::2] == first
    times = [mixed.next_of(other).after_ms for _ in range(4000)]
    assert 0.93 * HOUR_MS < sum(times) / len(times) < 1.07 * HOUR_MS


def test_another_seed_is_another_history() -> None:
    one, other = (Failures(site(), HOURLY, seed=seed) for seed in (1, 2))
    assert one.next_of(one.units[0]) != other.next_of(other.units[0])


def test_repairs_have_the_median_and_the_percentile_that_were_asked_for() -> None:
    rate = FailureRate(mean_between_ms=HOUR_MS, repair=Repair(median_ms=10_000, p90_ms=60_000))
    failures = Failures(site(), rate, seed=3)
    drawn = sorted(failures.next_of(failures.units[0]).repair_ms for _ in range(4000))
    assert 9_000 < drawn[2000] < 11_000
    assert 54_000 < drawn[3600] < 66_000


def test_causes_come_by_their_weights() -> None:
    causes = (Cause(name="gpu", weight=3), Cause(name="link", weight=1))
    rate = FailureRate(mean_between_ms=HOUR_MS, repair=AT_ONCE, causes=causes)
    failures = Failures(site(), rate, seed=3)
    told = [failures.next_of(failures.units[0]).cause for _ in range(4000)]
    assert 2800 < told.count("gpu") < 3200
    assert told.count("gpu") + told.count("link") == 4000


def test_a_few_lemons_have_most_of_the_failures() -> None:
    failures = Failures(site(100), HOURLY, lemons=Lemons(part=0.05, times=50), seed=9)
    assert len(failures.lemons) == 5
    means = {
        each.name: sum(failures.next_of(each).after_ms for _ in range(200)) / 200
        for each in failures.units
    }
    rates = {name: 1 / mean for name, mean in means.items()}
    of_lemons = sum(rate for name, rate in rates.items() if name in failures.lemons)
    assert of_lemons / sum(rates.values()) > 0.6


def test_domains_are_of_a_level_or_of_so_many_nodes_in_order() -> None:
    racks = DomainRate(name="rack", level="rack", mean_between_ms=HOUR_MS, repair=AT_ONCE)
    feeds = DomainRate(name="feed", nodes=6, mean_between_ms=HOUR_MS, repair=AT_ONCE)
    failures = Failures(site(), None, domains=(racks, feeds), seed=1)
    assert [(each.name, each.nodes) for each in failures.units] == [
        ("rack site/g0-rack0", tuple(f"node-{at}" for at in range(4))),
        ("rack site/g0-rack1", tuple(f"node-{at}" for at in range(4, 8))),
        ("feed 0", tuple(f"node-{at}" for at in range(6))),
        ("feed 1", ("node-6", "node-7")),
    ]
    assert failures.next_of(failures.units[2]).cause == "feed"


def test_a_hall_fails_as_one() -> None:
    nodes = build_site(NodeGroup(nodes=5, cores=8, memory_bytes=1 << 30, nodes_per_hall=3))
    halls = DomainRate(name="hall", level="hall", mean_between_ms=HOUR_MS, repair=AT_ONCE)
    failures = Failures(nodes, None, domains=(halls,), seed=1)
    assert [each.nodes for each in failures.units] == [
        ("node-0", "node-1", "node-2"),
        ("node-3", "node-4"),
    ]
