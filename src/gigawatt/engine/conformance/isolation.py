"""Isolation, as far as the engine claims it."""

from pathlib import Path

from gigawatt.engine.conformance.bench import Bench, check
from gigawatt.engine.conformance.report import CaseFailedError, UnsupportedError
from gigawatt.model.gang import Isolation
from gigawatt.model.observation import AttemptGone


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
    """Gangs of two tenants run as two users, of whom one cannot read what the other is given."""
    _claimed(bench, Isolation.USER)
    show = 'id -u; echo "$GIGAWATT_TOKEN_FILE"; echo told; exec sleep 300'
    secrets = (("GIGAWATT_TOKEN", "of-the-first-alone"),)
    first = await bench.launch(
        bench.build("sh", "-c", show, tenant="conformance-a", secrets=secrets)
    )
    await bench.wait_for_output(first, "told")
    user, path, _ = (await bench.output(first)).split()
    pry = (
        f"id -u; cat {path} {Path(path).parent.parent}/journal 2>/dev/null; ls {path} 2>&1 | wc -l"
    )
    second = await bench.run("sh", "-c", pry, tenant="conformance-b")
    other, *read = (await bench.output(second)).split()
    check(user != other, f"both tenants run as user {user}")
    check("0" not in {user, other}, "a tenant runs as root")
    check(read == ["1"], f"user {other} reads what is user {user}'s: {read[0][:80]}")
    await bench.engine.stop(first, grace_s=0, epoch=bench.epoch)
    await bench.wait(AttemptGone, key=first)
    return f"users {user} and {other}, and secrets are their own"


async def nodes_are_apart(bench: Bench) -> str:
    """A node that has one tenant's gang refuses another's."""
    _claimed(bench, Isolation.NODE)
    raise CaseFailedError("the engine claims it, and this suite has no check of it yet")


def _claimed(bench: Bench, isolation: Isolation) -> None:
    if isolation not in bench.engine.capabilities().isolation:
        raise UnsupportedError(f"the engine does not claim isolation by {isolation.value}")
