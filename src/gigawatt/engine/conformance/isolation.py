"""Isolation, as far as the engine claims it."""

from gigawatt.engine.conformance.bench import Bench, check
from gigawatt.engine.conformance.report import CaseFailedError, UnsupportedError
from gigawatt.model.gang import Isolation


async def processes_are_apart(bench: Bench) -> str:
    """Each rank leads a process group of its own."""
    _claimed(bench, Isolation.PROCESS)
    key = await bench.run(
        "sh", "-c", 'echo $$ $(ps -o pgid= -p $$ 2>/dev/null || cut -d" " -f5 /proc/$$/stat)'
    )
    pid, group = (await bench.output(key)).split()
    check(pid == group, f"rank {pid} is in group {group}")
    return "each rank leads its process group"


async def users_differ(bench: Bench) -> str:
    """Gangs of two tenants run as two users."""
    _claimed(bench, Isolation.USER)
    first = await bench.run("id", "-u", tenant="conformance-a")
    second = await bench.run("id", "-u", tenant="conformance-b")
    users = [(await bench.output(key)).strip() for key in (first, second)]
    check(users[0] != users[1], f"both tenants run as user {users[0]}")
    check("0" not in users, "a tenant runs as root")
    return f"users {users[0]} and {users[1]}"


async def nodes_are_apart(bench: Bench) -> str:
    """A node that has one tenant's gang refuses another's."""
    _claimed(bench, Isolation.NODE)
    raise CaseFailedError("the engine claims it, and this suite has no check of it yet")


def _claimed(bench: Bench, isolation: Isolation) -> None:
    if isolation not in bench.engine.capabilities().isolation:
        raise UnsupportedError(f"the engine does not claim isolation by {isolation.value}")
