"""Who ended an attempt, from the evidence alone.

The first rank to fail decides, because its peers fail after it and because of it: a rank killed from outside makes the
others' collectives fail with ordinary exit codes a moment later. Signals that a program cannot send itself by accident
are the infrastructure's; crashes of the program's own making (SIGSEGV, SIGABRT, SIGFPE, SIGILL) and exit codes are the
user's. Running out of its own memory limit is the user's too. An exit is the infrastructure's after all where the
program names broken hardware, or where it lives on elsewhere (`blame`).
"""

from gigawatt.model.attempt import Attempt, Evidence, RankStatus, Verdict

SIGNALS_FROM_OUTSIDE = frozenset({1, 2, 3, 7, 9, 15})  # HUP, INT, QUIT, BUS, KILL, TERM
SHELL_SIGNAL_BASE = 128  # a shell exits with this plus the signal that ended its child
SAME_MOMENT_MS = 5_000  # failures this close may be told in either order

# What drivers and runtimes say of broken hardware, and of nothing else.
HARDWARE_WORDS = (
    "uncorrectable ECC error",
    "fallen off the bus",
    "CUDA-capable device(s) is/are busy or unavailable",
    "Unable to determine the device handle for GPU",
    "cudaErrorECCUncorrectable",
    "cudaErrorDevicesUnavailable",
    "cudaErrorHardwareStackError",
    "NVML: GPU is lost",
)

INFRASTRUCTURE_FACTS = frozenset(
    {"signal", "node_down", "lost", "launch_failed", "hardware", "hang"}
)
FAILURE_FACTS = INFRASTRUCTURE_FACTS | {"exit", "crash", "oom", "launch_refused"}

# Its program does well on other nodes; a check of its node failed while it ran; its ranks on two nodes lost each other.
EXCUSES = frozenset({"contrast", "unhealthy", "link"})

CHARGED_TO = {
    Verdict.USER: "user",
    Verdict.INFRASTRUCTURE: "infrastructure",
    Verdict.HANG: "infrastructure",
}


def judge(attempt: Attempt) -> Verdict:
    """The verdict on an attempt of which nothing runs any more."""
    # A program that saves and exits when it is asked to has not done its work.
    left = attempt.stop_cause is Verdict.PREEMPTION and any(rank.asked for rank in attempt.ranks)
    if attempt.ranks and not left and all(rank.exit_code == 0 for rank in attempt.ranks):
        return Verdict.SUCCESS
    if attempt.stop_cause is not None:
        return attempt.stop_cause
    facts = decisive(attempt)
    if any(fact.what in INFRASTRUCTURE_FACTS for fact in facts):
        return Verdict.INFRASTRUCTURE
    if any(fact.what in EXCUSES for fact in attempt.evidence):
        return Verdict.INFRASTRUCTURE
    if facts:
        return Verdict.USER
    return Verdict.INFRASTRUCTURE  # it ended and nothing says why


def evidence_of_exit(rank: RankStatus, *, oom: bool, lost: bool) -> Evidence | None:
    """What a rank's own end says; None where it says nothing against anyone."""
    assert rank.ended_ms is not None
    if lost or (rank.exit_code is None and rank.signal is None):
        what, detail = "lost", "how it ended is not known: its supervisor was lost"
    elif oom:
        what, detail = "oom", "it used more memory than its limit"
    elif rank.exit_code == 0:
        return None
    else:
        what, detail = _exit_fact(rank)
    return Evidence(at_ms=rank.ended_ms, what=what, detail=detail, rank=rank.rank, node=rank.node)


def decisive(attempt: Attempt) -> list[Evidence]:
    """The failures that came first, and those of the same moment."""
    failures = sorted(
        (fact for fact in attempt.evidence if fact.what in FAILURE_FACTS),
        key=lambda fact: (fact.at_ms, fact.rank if fact.rank is not None else -1),
    )
    if not failures:
        return []
    if failures[0].what == "oom":
        return failures[:1]
    return [fact for fact in failures if fact.at_ms - failures[0].at_ms <= SAME_MOMENT_MS]


def _exit_fact(rank: RankStatus) -> tuple[str, str]:
    signal = rank.signal
    if signal is None and rank.exit_code is not None:
        through_shell = rank.exit_code - SHELL_SIGNAL_BASE
        if through_shell in SIGNALS_FROM_OUTSIDE:
            return (
                "signal",
                f"exit code {rank.exit_code}: its shell's child got signal {through_shell}",
            )
        broken = [line for line in rank.last_lines if any(w in line for w in HARDWARE_WORDS)]
        if broken:
            return "hardware", f"exit code {rank.exit_code}: {broken[-1]}"
        last = f": {rank.last_lines[-1]}" if rank.last_lines else ""
        return "exit", f"exit code {rank.exit_code}{last}"
    if signal in SIGNALS_FROM_OUTSIDE:
        return "signal", f"signal {signal}, sent from outside the job"
    return "crash", f"signal {signal}, raised by the program"
