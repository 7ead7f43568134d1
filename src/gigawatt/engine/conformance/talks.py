"""Talking to ranks: commands beside them, and ports on their hosts, for engines that claim it."""

import asyncio
import signal

from gigawatt.engine.base import UnknownAttemptError
from gigawatt.engine.conformance.bench import WAIT_S, Bench, check
from gigawatt.engine.conformance.report import CaseFailedError, UnsupportedError
from gigawatt.engine.talk import Source, WindowSize
from gigawatt.model.launch import AttemptKey
from gigawatt.model.observation import AttemptGone, RankStarted
from gigawatt.model.refusal import RefusalCode, RefusalError

BYTES = 3 << 20  # more than pipes hold
LISTENER = """
import socket, sys
server = socket.create_server(("127.0.0.1", 0))
print(server.getsockname()[1], flush=True)
peer, _ = server.accept()
data = peer.makefile("rb").read()
peer.sendall(data[::-1])
peer.close()
"""
LEAVES = "setsid sh -c 'echo $$; exec sleep 600' & sh -c 'echo $$; exec sleep 600' & wait"


async def command_is_talked_to(bench: Bench) -> str:
    """More than pipes hold goes through both ways; the end of its input reaches it, and its exit code comes back."""
    key = await _sleeper(bench)
    command = await bench.engine.run(
        key, 0, ("sh", "-c", "cat; echo over >&2; exit 7"), window=None
    )
    sent = bytes(range(256)) * (BYTES // 256)

    async def feed() -> None:
        await command.stdin.write(sent)
        await command.stdin.end()

    feeding = asyncio.create_task(feed())
    got = await _all_of(command.stdout)
    await feeding
    check(got == sent, f"of {len(sent)} bytes {len(got)} came back, or others")
    check(await _all_of(command.stderr) == b"over\n", "its stderr is not apart")
    code = await command.wait()
    await command.close()
    check(code == 7, f"its exit code is {code}, not 7")
    return f"{BYTES} bytes went through; exit code 7"


async def command_has_a_terminal(bench: Bench) -> str:
    """It knows the size of its window, also a new one, and Ctrl-C interrupts it."""
    key = await _sleeper(bench)
    script = "stty size; read go; stty size; read stay"
    window = WindowSize(rows=33, columns=77)
    command = await bench.engine.run(key, 0, ("sh", "-c", script), window=window)
    await _until(command.stdout, b"33 77")
    await command.resize(WindowSize(rows=10, columns=20))
    await command.stdin.write(b"go\n")
    await _until(command.stdout, b"10 20")
    await command.stdin.write(b"\x03")
    code = await command.wait()
    await command.close()
    check(code == -signal.SIGINT, f"Ctrl-C ended it with {code}")
    return "33 x 77, then 10 x 20, then interrupted"


async def nothing_outlives_a_command(bench: Bench) -> str:
    """Whoever talked to it goes: so goes all that it started, also what left its session."""
    key = await _sleeper(bench)
    command = await bench.engine.run(key, 0, ("sh", "-c", LEAVES), window=None)
    pids = [int(word) for word in (await _until(command.stdout, b"\n", count=2)).split()]
    await command.close()
    deadline_s = bench.now_s + WAIT_S
    for pid in pids:
        while await _lives(bench, key, pid):
            check(bench.now_s < deadline_s, f"process {pid} is left of the command")
    return f"processes {pids} ended with the command"


async def command_ends_with_its_gang(bench: Bench) -> str:
    """A gang that is stopped takes the commands beside it along."""
    key = await _sleeper(bench)
    command = await bench.engine.run(key, 0, ("cat",), window=None)
    await bench.engine.stop(key, grace_s=1, epoch=bench.epoch)
    await bench.wait(AttemptGone, key=key)
    check(await _all_of(command.stdout) == b"", "the command still writes")
    await command.close()
    try:
        await bench.engine.run(key, 0, ("true",), window=None)
    except UnknownAttemptError:
        return "the command ended with the gang, and another finds none"
    raise CaseFailedError("a command runs beside a gang that has ended")


async def port_is_reached(bench: Bench) -> str:
    """Bytes and the end of them go both ways; a port where nothing listens is refused."""
    _claimed(bench)
    key = await bench.launch(bench.build("python3", "-c", LISTENER))
    await bench.wait_for_output(key, "\n")
    port = int(await bench.output(key))
    stream = await bench.engine.connect(key, 0, port)
    await stream.write(b"abc")
    await stream.end()
    check(await _all_of(stream) == b"cba", "what came back is not what was sent, reversed")
    await stream.close()
    await bench.wait(AttemptGone, key=key)
    other = await _sleeper(bench)
    try:
        await bench.engine.connect(other, 0, port)
    except RefusalError as error:
        check(error.code is RefusalCode.CONFLICT, f"it is refused as {error.code}")
        return f"port {port} was reached, and refused once nothing listened"
    raise CaseFailedError(f"port {port} is reached although nothing listens")


async def rank_is_attached_to(bench: Bench) -> str:
    """Its signals reach a rank; leaving it alone does it no harm."""
    _claimed(bench)
    script = "trap 'echo caught; exit 3' INT; echo in; while :; do sleep 0.05; done"
    key = await bench.launch(bench.build("sh", "-c", script))
    await bench.wait_for_output(key, "in")
    left = await bench.engine.attach(key, 0)
    await left.close()
    attached = await bench.engine.attach(key, 0)
    check(attached.stdin is None, "a rank without a terminal takes input")
    await attached.signal(signal.SIGINT)
    await bench.wait_for_output(key, "caught")
    await attached.close()
    return "it was interrupted by whoever attached last"


async def terminal_of_a_rank_is_talked_to(bench: Bench) -> str:
    """A rank that was started with a terminal hears what is typed, and what it says is in its log."""
    _claimed(bench)
    script = "stty size; read x; echo got $x; stty size; read y; exit 3"
    key = await bench.launch(bench.build("sh", "-c", script, terminal=True))
    await bench.wait_for_output(key, "24 80")
    attached = await bench.engine.attach(key, 0)
    check(attached.stdin is not None, "it has no input")
    assert attached.stdin is not None
    await attached.resize(WindowSize(rows=11, columns=22))
    await attached.stdin.write(b"abc\n")
    await bench.wait_for_output(key, "got abc")
    await bench.wait_for_output(key, "11 22")
    await attached.close()
    again = await bench.engine.attach(key, 0)
    assert again.stdin is not None
    await again.stdin.write(b"\n")
    await bench.wait(AttemptGone, key=key)
    await again.close()
    return "it heard what was typed by one, and then by another"


def _claimed(bench: Bench) -> None:
    if not bench.engine.capabilities().talks:
        raise UnsupportedError("the engine does not claim that one can talk to its ranks")


async def _sleeper(bench: Bench) -> AttemptKey:
    _claimed(bench)
    key = await bench.launch(bench.build("sleep", "600"))
    await bench.wait(RankStarted, key=key)
    return key


async def _all_of(source: Source) -> bytes:
    found = b""
    async with asyncio.timeout(WAIT_S):
        while data := await source.read(1 << 16):
            found += data
    return found


async def _until(source: Source, text: bytes, *, count: int = 1) -> bytes:
    """What it says, up to the `count`th of these."""
    found = b""
    async with asyncio.timeout(WAIT_S):
        while found.count(text) < count:
            data = await source.read(1 << 16)
            check(bool(data), f"it ended with {found!r}, without {text!r}")
            found += data
    return found


async def _lives(bench: Bench, key: AttemptKey, pid: int) -> bool:
    """As seen from beside the rank. One that is only waited for does not."""
    script = f"grep -v '^[^)]*) [ZX]' /proc/{pid}/stat"
    result = await bench.engine.exec(key, 0, ("sh", "-c", script))
    return result.exit_code == 0
