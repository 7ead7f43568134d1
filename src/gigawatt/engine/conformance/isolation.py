"""Isolation, as far as the engine claims it."""

from pathlib import Path

from gigawatt.engine.conformance.bench import Bench, check
from gigawatt.engine.conformance.report import UnsupportedError
from gigawatt.model.gang import Isolation
from gigawatt.model.observation import AttemptGone

OWN_PROCESSES_MAX = 8  # of a shell and what it calls, and what holds its name spaces


async def processes_are_apart(bench: Bench) -> str:
    """A gang sees its own processes alone, and of the machine's files none that it was not given."""
    _claimed(bench, Isolation.PROCESS)
    kind = Isolation.PROCESS
    first = await bench.launch(
        bench.build("sh", "-c", "echo told; exec sleep 300", tenant="conformance-a", isolation=kind)
    )
    await bench.wait_for_output(first, "told")
    look = f'echo $$ $(cut -d" " -f5 /proc/$$/stat); ls -d /proc/[0-9]* | wc -l; ls {bench.scratch}'
    second = await bench.run("sh", "-c", look, tenant="conformance-b", isolation=kind)
    pid, group, count, *files = (await bench.output(second)).split()
    check(pid == group, f"rank {pid} is in group {group}")
    check(int(count) <= OWN_PROCESSES_MAX, f"{count} processes are seen")
    check(not files, f"files of the machine are seen: {files[:3]}")
    await bench.engine.stop(first, grace_s=0, epoch=bench.epoch)
    await bench.wait(AttemptGone, key=first)
    return f"{count} processes are seen, all its own, and no file of others"


async def users_differ(bench: Bench) -> str:
    """Gangs of two tenants run as two users, of whom one cannot read what the other is given."""
    _claimed(bench, Isolation.USER)
    kind = Isolation.USER
    show = 'id -u; echo "$GIGAWATT_TOKEN_FILE"; echo told; exec sleep 300'
    secrets = (("GIGAWATT_TOKEN", "of-the-first-alone"),)
    first = await bench.launch(
        bench.build("sh", "-c", show, tenant="conformance-a", secrets=secrets, isolation=kind)
    )
    await bench.wait_for_output(first, "told")
    user, path, _ = (await bench.output(first)).split()
    pry = (
        f"id -u; cat {path} {Path(path).parent.parent}/journal 2>/dev/null; ls {path} 2>&1 | wc -l"
    )
    second = await bench.run("sh", "-c", pry, tenant="conformance-b", isolation=kind)
    other, *read = (await bench.output(second)).split()
    check(user != other, f"both tenants run as user {user}")
    check("0" not in {user, other}, "a tenant runs as root")
    check(read == ["1"], f"user {other} reads what is user {user}'s: {read[0][:80]}")
    await bench.engine.stop(first, grace_s=0, epoch=bench.epoch)
    await bench.wait(AttemptGone, key=first)
    return f"users {user} and {other}, and secrets are their own"


async def nodes_are_apart(bench: Bench) -> str:
    """What a gang has left of processes, files and shared memory is gone before the next one starts."""
    _claimed(bench, Isolation.NODE)
    kind = Isolation.NODE
    leave = "cd /tmp; echo 1 >left; cd -; echo 1 >/dev/shm/left; echo 1 >left; (setsid sleep 300 &)"
    await bench.run("sh", "-c", leave, tenant="conformance-a", isolation=kind)
    look = "ls /tmp /dev/shm . | grep left; ls -d /proc/[0-9]* | wc -l"
    key = await bench.run("sh", "-c", look, tenant="conformance-b", isolation=kind)
    found = (await bench.output(key)).split()
    check(len(found) == 1, f"the next gang finds {found}")
    check(int(found[0]) <= OWN_PROCESSES_MAX, f"{found[0]} processes are seen")
    return "no process, file or shared memory was left to the next gang"


def _claimed(bench: Bench, isolation: Isolation) -> None:
    if isolation not in bench.engine.capabilities().isolation:
        raise UnsupportedError(f"the engine does not claim isolation by {isolation.value}")
