"""What is learned from runs: that the like of it counts most, that little counts little, that what runs counts too."""

from gigawatt.scheduler.durations import (
    ALIVE_MAX,
    ENDS_MIN,
    KIND_RUNS_MAX,
    Durations,
    Likeness,
)

HOUR_MS = 3_600_000


def like(user: str = "ann", stem: str = "train", *, nodes: int = 1, limit_ms: int = 0) -> Likeness:
    return Likeness(
        project="t/p", user=user, stem=stem, shape=(nodes, 0, 1000, 0), limit_ms=limit_ms
    )


def ran(durations: Durations, of: Likeness, *times_ms: int) -> None:
    for time_ms in times_ms:
        run = durations.began(of, 0)
        run.ran_ms, run.whole = time_ms, True


def median(durations: Durations, of: Likeness, *, ran_ms: int = 0, now_ms: int = 0) -> float:
    return durations.spread(of, now_ms=now_ms, ran_ms=ran_ms).quantile(0.5)


def test_nothing_known_leaves_the_limit() -> None:
    durations = Durations()
    assert not durations.knows(like())
    assert median(durations, like(limit_ms=HOUR_MS)) == HOUR_MS


def test_what_has_no_limit_and_outruns_all_is_taken_to_run_as_long_again() -> None:
    assert median(Durations(), like(), ran_ms=HOUR_MS) == 2 * HOUR_MS


def test_runs_of_the_same_kind_count_more_than_those_of_others() -> None:
    durations = Durations()
    ran(durations, like("bob"), *[HOUR_MS] * 20)
    ran(durations, like("ann"), *[60_000] * 20)
    assert median(durations, like("ann")) == 60_000
    assert median(durations, like("bob")) == HOUR_MS


def test_a_single_run_is_drawn_to_what_others_took() -> None:
    durations = Durations()
    for nodes in range(2, 12):
        ran(durations, like("bob", nodes=nodes), *[HOUR_MS] * 4)
    ran(durations, like("ann"), 60_000)
    alone = durations.spread(like("ann"), now_ms=0)
    assert (alone.quantile(0.25), alone.quantile(0.75)) == (60_000, HOUR_MS)
    ran(durations, like("ann"), *[60_000] * 30)
    assert durations.spread(like("ann"), now_ms=0).quantile(0.75) == 60_000


def test_another_user_is_measured_by_parts_of_the_limit() -> None:
    durations = Durations()
    ran(durations, like("bob", limit_ms=10 * HOUR_MS), *[HOUR_MS] * 20)
    assert median(durations, like("ann", limit_ms=20 * HOUR_MS)) == 2 * HOUR_MS


def test_what_has_run_for_a_while_is_not_over_sooner() -> None:
    durations = Durations()
    ran(durations, like(), *[60_000] * 9, *[HOUR_MS] * 9)
    assert median(durations, like(), ran_ms=120_000) == HOUR_MS


def test_no_time_is_above_the_limit() -> None:
    durations = Durations()
    ran(durations, like(limit_ms=HOUR_MS), *[3 * HOUR_MS] * 5)
    assert median(durations, like(limit_ms=HOUR_MS)) == HOUR_MS


def test_what_still_runs_makes_guesses_longer() -> None:
    durations = Durations()
    for _ in range(10):
        durations.began(like(), 0)
    ran(durations, like(), *[60_000] * 5)
    ran(durations, like(), *[5 * HOUR_MS] * 5)
    assert median(durations, like(), now_ms=2 * HOUR_MS) == 5 * HOUR_MS


def test_a_thousand_begun_at_once_do_not_drive_out_what_has_ended() -> None:
    durations = Durations()
    ran(durations, like(), *[HOUR_MS] * (ENDS_MIN + 8))
    for _ in range(ALIVE_MAX // 2):
        durations.began(like(), HOUR_MS)
    assert median(durations, like(), now_ms=HOUR_MS + 1) == HOUR_MS


def test_a_thousand_of_one_kind_do_not_speak_for_all_kinds() -> None:
    durations = Durations()
    for user in range(10):
        ran(durations, like(f"user-{user}"), *[HOUR_MS] * KIND_RUNS_MAX)
    ran(durations, like("many"), *[1_000] * 1_000)
    assert durations.spread(like("new"), now_ms=0).quantile(0.5) == HOUR_MS


def test_the_same_runs_in_the_same_order_say_the_same() -> None:
    one, other = Durations(), Durations()
    for durations in (one, other):
        ran(durations, like("bob"), 5, 50, 500)
        ran(durations, like("ann"), 3, 30, 300)
    assert one.spread(like("ann"), now_ms=0).parts.tobytes() == (
        other.spread(like("ann"), now_ms=0).parts.tobytes()
    )
