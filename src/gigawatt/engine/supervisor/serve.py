"""Puts one supervisor together and runs it: its directory, its socket, who may ask what."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from gigawatt.engine.supervisor import limits, sweep
from gigawatt.engine.supervisor.digests import Digests
from gigawatt.engine.supervisor.door import forget_door, listen_at_door
from gigawatt.engine.supervisor.host import Host
from gigawatt.engine.supervisor.job import (
    JobSpec,
    Strangers,
    devices_given,
    leave_batch_system,
    listen_tcp,
    read_job,
    take_lock,
    tell_where,
)
from gigawatt.engine.supervisor.layout import Entry, Layout, NodeLockedError
from gigawatt.engine.supervisor.loop import READ, Loop, Timer
from gigawatt.engine.supervisor.node import Node, Reply
from gigawatt.engine.supervisor.notes import Notes
from gigawatt.engine.supervisor.ports import Ports, runtime_dir
from gigawatt.engine.supervisor.private import Vault, memory_place
from gigawatt.engine.supervisor.process import (
    allow_many_files,
    become_subreaper,
    detach,
    let_go_of_inherited,
)
from gigawatt.engine.supervisor.rank_module import put_beside_ranks
from gigawatt.engine.supervisor.relay import Relay
from gigawatt.engine.supervisor.wire import (
    PROTOCOL,
    Connection,
    Message,
    RequestError,
    listen,
    peer_uid,
)

TYPE_CHECKING = False  # what type checkers take for typing's
if (
    TYPE_CHECKING
):  # loaded when somebody asks for them: a supervisor of one short attempt is mostly its start
    from gigawatt.engine.supervisor.live import Live
    from gigawatt.engine.supervisor.shelf import Shelf
    from gigawatt.engine.supervisor.trees import Trees

ORPHAN_S = 86_400  # without a control plane for so long: ranks are stopped, and we end
ORPHAN_GRACE_S = 30.0
STAGE_ABANDONED_AFTER_S = 60.0  # a go that has not come by then will not come
SHELF = frozenset({"bundle", "bundle-part", "bundle-whole", "log", "find-log"})
TREES = frozenset({"tree", "tree-take", "tree-whole", "tree-give", "tree-remove"})
TALKS = frozenset({"run", "attach", "connect", "control"})
FENCED = frozenset({"stage", "go", "abort", "stop", "release", "state"})  # the leader's alone


class Options(NamedTuple):
    root: Path
    node: str
    instance: str
    address: str = "127.0.0.1"
    orphan_s: float = ORPHAN_S
    stage_s: float = STAGE_ABANDONED_AFTER_S
    token: str = ""  # of one that is reached by TCP; who has it may ask
    detach: bool = False
    job: JobSpec | None = None  # started by a batch system, for one attempt alone
    job_file: Path = Path()


class Server:
    def __init__(self, options: Options, layout: Layout, notes: Notes) -> None:
        self._options = options
        self._notes = notes
        self._loop = Loop(notes)
        self._tag = f"{options.instance[:12]}-{options.node}"
        # A batch system holds its job to what it has, and a look for groups of our own takes as long as a launch.
        self._limits = limits.by_rlimit() if options.job else limits.detect(self._tag)
        start = int.from_bytes(self._tag.encode(), "big") % 9973
        self._host = Host(
            loop=self._loop,
            notes=notes,
            layout=layout,
            limits=self._limits,
            ports=Ports(runtime_dir() / "ports", start=start),
            digests=Digests(self._loop, notes),
            vault=Vault(
                layout,
                instance=options.instance,
                node=options.node,
                memory=memory_place(),
            ),
            instance=options.instance,
            node=options.node,
            address=options.address,
            emit=self._emit,
            others_run=self._others_run,
        )
        self._node = Node(
            self._host,
            sweep.recover(self._host),
            epoch=_epoch(options, layout),
            stage_s=options.stage_s,
            devices=devices_given() if options.job else None,
        )
        self._relay = Relay(self._loop)
        self._connections: set[Connection] = set()
        self._strangers = Strangers(self._loop, options.token) if options.token else None
        self._listener_of_events: Connection | None = None
        self._orphan: Timer | None = None
        self._loop.on_orphan(self._node.orphan_ended)
        self._loop.on_signal(signal.SIGTERM, lambda: self._shut_down(ORPHAN_GRACE_S))
        if options.job:
            self._node.end_when_idle(self._end)
            self._loop.later(options.stage_s, self._node.end_if_idle)

    def run(self, listener: socket.socket) -> None:
        self._loop.watch(listener.fileno(), READ, lambda _: self._accept(listener))
        self._expect_control_plane()
        self._loop.run()
        self._limits.close()

    @cached_property
    def _live(self) -> Live:
        from gigawatt.engine.supervisor.live import Live

        return Live(self._host, self._node.live_rank)

    @cached_property
    def _shelf(self) -> Shelf:
        from gigawatt.engine.supervisor.shelf import Shelf

        return Shelf(self._host)

    @cached_property
    def _trees(self) -> Trees:
        from gigawatt.engine.supervisor.trees import Trees

        return Trees(self._host, self._relay, self._node.specs)

    def _accept(self, listener: socket.socket) -> None:
        sock, _ = listener.accept()
        if self._strangers is None and peer_uid(sock) != os.getuid():
            self._notes.note("refused another user", uid=peer_uid(sock))
            sock.close()
            return
        connection = Connection(
            self._loop,
            sock,
            on_message=self._request,
            on_close=self._disconnected,
            channels=self._relay if self._strangers else None,
        )
        self._connections.add(connection)
        if self._strangers is not None:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._strangers.add(connection)

    def _disconnected(self, connection: Connection) -> None:
        self._connections.discard(connection)
        if "_live" in self.__dict__:
            self._live.disconnected(connection)
        if self._strangers is not None:
            self._strangers.forget(connection)
        if connection is self._listener_of_events:
            self._listener_of_events = None
            self._expect_control_plane()

    def _expect_control_plane(self) -> None:
        if self._orphan is not None:
            self._orphan.cancel()
        self._orphan = self._loop.later(self._options.orphan_s, self._orphaned)

    def _orphaned(self) -> None:
        if self._listener_of_events is None:
            self._notes.note("no control plane", seconds=self._options.orphan_s)
            self._shut_down(ORPHAN_GRACE_S)

    def _request(self, connection: Connection, message: Message) -> None:
        number = message.get("id")

        def reply(result: dict[str, Any] | RequestError) -> None:
            if isinstance(result, RequestError):
                error = {"code": result.code, "detail": result.detail, **result.facts}
                connection.send({"id": number, "error": error})
            else:
                connection.send({"id": number, "ok": result})

        try:
            verb = str(message["verb"])
            if self._strangers is not None and connection in self._strangers:
                reply(self._strangers.ask(connection, message))
                return
            if verb in FENCED:
                self._node.check_epoch(int(message["epoch"]))
            self._answer(verb, message, connection, reply)
        except RequestError as error:
            reply(error)
        except OSError as error:
            reply(RequestError("machine", str(error)))
        except (KeyError, TypeError, ValueError) as error:
            reply(RequestError("bad-request", repr(error)))

    def _answer(self, verb: str, message: Message, connection: Connection, reply: Reply) -> None:
        now: dict[str, Callable[[Message], dict[str, Any]]] = {
            "hello": self._hello,
            "ping": self._node.ping,
            "inventory": lambda _: self._subscribe(connection),
            "state": self._node.set_state,
            "abort": self._node.abort,
            "stop": self._node.stop,
            "release": self._node.release,
            "notify": self._node.notify,
            "shutdown": self._shutdown,
        }
        later: dict[str, Callable[[Message, Reply], None]] = {
            "stage": self._node.stage,
            "go": self._node.go,
            "probe": self._node.probe,
            "exec": self._node.exec,
        }
        if verb in now:
            reply(now[verb](message))
        elif verb in later:
            later[verb](message, reply)
        elif verb in SHELF:
            self._shelf.answer(verb, message, reply)
        elif verb in TREES:
            self._trees.answer(verb, message, reply)
        elif verb in TALKS:
            self._talk(verb, message, connection)
        elif verb == "take":
            self._relay.take(message, connection)
        elif verb == "check":
            self._node.checks.run(message, reply)
        else:
            raise RequestError("bad-request", f"there is no verb {verb!r}")

    def _talk(self, verb: str, message: Message, connection: Connection) -> None:
        live = self._live
        verbs = {
            "run": live.run,
            "attach": live.attach,
            "connect": live.connect,
            "control": live.control,
        }
        verbs[verb](message, connection)

    def _hello(self, message: Message) -> dict[str, Any]:
        self._node.check_epoch(int(message["epoch"]))
        self._node.ping(message)
        return {
            "protocol": PROTOCOL,
            "node": self._options.node,
            "instance": self._options.instance,
            "pid": os.getpid(),
            "epoch": self._node.epoch,
            "limits": self._limits.kind,
        }

    def _subscribe(self, connection: Connection) -> dict[str, Any]:
        """From now on this connection hears of everything; whoever did before is let go."""
        before = self._listener_of_events
        self._listener_of_events = connection
        if before is not None and before is not connection:
            before.close()
        if self._orphan is not None:
            self._orphan.cancel()
        return self._node.inventory()

    def _others_run(self, key: str) -> bool:
        return self._node.others_run(key)

    def _emit(self, key: str, entry: Entry) -> None:
        if self._listener_of_events is not None:
            self._listener_of_events.send({"event": {"key": key, **entry}})

    def _shutdown(self, message: Message) -> dict[str, Any]:
        self._shut_down(float(message["grace_s"]))
        return {}

    def _shut_down(self, grace_s: float) -> None:
        self._node.stop_all(grace_s=grace_s, on_idle=self._end)

    def _end(self) -> None:
        self._loop.later(0, self._loop.stop)  # after the replies that are still to be sent


def main(argv: list[str]) -> int:
    """Say on standard output, in one line, that it is ready or why not; then run until told to end."""
    let_go_of_inherited()
    options = _options(argv)
    if options.detach:
        detach()
    notes = Notes(options.node)
    layout = Layout(options.root, key=options.job.key if options.job else "")
    try:
        layout.make()
        lock = take_lock(layout) if options.job else layout.lock()
        os.chdir(options.root)
        become_subreaper()
        allow_many_files()
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        if options.job:
            layout.python = Path(options.job.python)
        else:
            put_beside_ranks(layout.python)
        server = Server(options, layout, notes)
        path, listener = _listen(options, layout)
    except NodeLockedError:
        _say("locked")
        return 1
    except OSError as error:
        _say(f"error {error}")
        return 1
    _say("ready")
    notes.note("started", pid=os.getpid(), socket=path)
    server.run(listener)
    if options.token:
        forget_door(layout)
    else:
        Path(path).unlink(missing_ok=True)
    notes.note("ended", pid=os.getpid())
    os.close(lock)
    return 0


def _options(argv: list[str]) -> Options:
    values = dict(zip(argv[::2], argv[1::2], strict=True))
    if "--job" in values:
        return _job_options(Path(values["--job"]))
    return Options(
        root=Path(values["--dir"]).resolve(),
        node=values["--node"],
        instance=values["--instance"],
        address=values.get("--address", "127.0.0.1"),
        orphan_s=float(values.get("--orphan-s", ORPHAN_S)),
        stage_s=float(values.get("--stage-s", STAGE_ABANDONED_AFTER_S)),
        token=Path(values["--token-file"]).read_text() if "--token-file" in values else "",
        detach="--detach" in values,
    )


def _job_options(path: Path) -> Options:
    """Raises OSError, KeyError or ValueError: then there is nobody to tell but the batch system."""
    job = read_job(path)
    node = os.environ[job.node_variable]
    leave_batch_system()
    return Options(
        root=Path(job.nodes_dir) / node,
        node=node,
        instance=job.instance,
        address=job.addresses[node],
        orphan_s=job.orphan_s,
        stage_s=job.stage_s,
        token=job.token,
        job=job,
        job_file=path,
    )


def _epoch(options: Options, layout: Layout) -> int:
    """The highest that was seen here, or by anyone of the instance where supervisors come and go."""
    seen = layout.read_epoch()
    return max(seen, int(Path(options.job.epoch_file).read_text())) if options.job else seen


def _listen(options: Options, layout: Layout) -> tuple[str, socket.socket]:
    """Where, and the socket. Raises OSError."""
    if options.job:
        listener = listen_tcp(options.address)
        port: int = listener.getsockname()[1]
        tell_where(options.job, options.job_file, options.node, port)
        return f"{options.address}:{port}", listener
    if options.token:
        return listen_at_door(layout, options.address)
    short = runtime_dir() / f"{options.instance[:16]}-{options.node}.sock"
    path = layout.socket_path(short)
    return path, listen(path)


def _say(word: str) -> None:
    """Answer whoever started us, then let go of its pipe."""
    with contextlib.suppress(BrokenPipeError):  # it has ended; whoever comes next finds our socket
        os.write(1, f"{word}\n".encode())
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(null, 1)
    os.close(null)
