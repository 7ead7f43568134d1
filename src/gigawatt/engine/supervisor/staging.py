"""The first half of a launch: everything that can fail, before anything runs."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from gigawatt.engine.supervisor import environ, volumes, workdir
from gigawatt.engine.supervisor.host import Host
from gigawatt.engine.supervisor.ports import HeldPort, NoPortError
from gigawatt.engine.supervisor.private import Private
from gigawatt.engine.supervisor.process import in_child
from gigawatt.engine.supervisor.room import Room, furnish, open_room, shm_of
from gigawatt.engine.supervisor.spec import StageSpec, Walls
from gigawatt.engine.supervisor.view import Own, visible
from gigawatt.engine.supervisor.wire import RequestError


class Prepared(NamedTuple):
    """A node's part that is ready to go."""

    spec: StageSpec
    directory: Path
    work: str  # the working directory of its ranks
    private: Private
    master: HeldPort | None  # on the node of rank 0
    replica: HeldPort | None
    room: Room | None = None  # of one that is walled

    def let_go(self) -> None:
        """Of ports and name spaces. All that still is in these ends."""
        if self.room is not None:
            self.room.close()
        for port in (self.master, self.replica):
            if port is not None:
                port.free()

    def site(self, host: Host, *, master_port: int, port: int) -> environ.Site:
        return environ.Site(
            instance=host.instance,
            node=host.node,
            python_dir=str(host.layout.python),
            report_dir=str(self.directory / "report"),
            secrets_dir=str(self.private.directory),
            secrets=self.private.values,
            master_port=master_port,
            port=port,
            work_dir=str(self.directory / "work"),
            home_dir=str(self.directory / "home") if self.spec.walls else "",
        )

    def own(self, host: Host) -> Own:
        shm = shm_of(host.instance, self.spec.key)
        return Own(
            directory=self.directory,
            python=host.layout.python,
            shm=shm,
            etc=host.layout.own / "etc",
            secrets=self.private.directory,
        )


def prepare(
    host: Host,
    spec: StageSpec,
    secrets: dict[str, str],
    done: Callable[[Prepared | RequestError], None],
) -> None:
    """Make the attempt's directory and ports, and check that its program is there.

    What is wrong with the request is a RequestError `user`, what is wrong with the machine `machine`.
    """
    directory = host.layout.attempts / spec.key
    try:
        _check_request(spec)
        private = _make_directories(host, spec, secrets, directory)
    except (RequestError, OSError) as error:
        done(_refusal(error))
        return

    def ready(error: str) -> None:
        if error:
            done(RequestError("machine", f"the working directory could not be made: {error}"))
            return
        try:
            prepared = _finish(host, spec, private, directory)
            if spec.walls is None:
                done(prepared)
            else:
                _wall_in(host, prepared, spec.walls, done)
        except (RequestError, OSError, NoPortError) as failure:
            done(_refusal(failure))

    if not spec.template:
        ready("")
        return
    try:
        in_child(
            host.loop,
            lambda: workdir.copy_tree(Path(spec.template), directory / "work"),
            ready,
        )
    except OSError as error:
        done(_refusal(error))


def _check_request(spec: StageSpec) -> None:
    python = Path(spec.environment, "bin", "python")
    if spec.environment and not python.exists():
        if python.is_symlink():
            why = f"the environment's Python, {python.readlink()}, is not on this node"
            raise RequestError("machine", why)
        raise RequestError("machine", f"the environment {spec.environment} has no bin/python")
    if spec.template and not Path(spec.template).is_dir():
        raise RequestError("machine", f"the bundle at {spec.template} is not there")
    if not spec.template and spec.workdir and not Path(spec.workdir).is_absolute():
        raise RequestError("user", f"workdir {spec.workdir} is relative, and there is no bundle")


def _make_directories(
    host: Host, spec: StageSpec, secrets: dict[str, str], directory: Path
) -> Private:
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    if directory.stat().st_uid != os.geteuid():
        raise RequestError("machine", f"{directory} is somebody else's")
    for name in ("report", "work"):
        (directory / name).mkdir(parents=True, exist_ok=True, mode=0o700)
    for rank in spec.ranks:
        for stream in ("stdout", "stderr"):
            (directory / "logs" / f"rank-{rank.rank}.{stream}").mkdir(parents=True, exist_ok=True)
    (host.layout.live / spec.key).touch()
    if spec.checkpoint_dir:
        Path(spec.checkpoint_dir).mkdir(parents=True, exist_ok=True)
    return host.vault.keep(spec.key, dict(sorted(secrets.items())))


def _finish(host: Host, spec: StageSpec, private: Private, directory: Path) -> Prepared:
    volumes.place(spec.volumes, directory / "work")
    work = directory / "work" / spec.workdir  # an absolute workdir replaces what is before it
    if not work.is_dir():
        raise RequestError("user", f"the working directory {spec.workdir or work} is not there")
    prepared = Prepared(
        spec=spec,
        directory=directory,
        work=str(work),
        private=private,
        master=None,
        replica=None,
    )
    site = prepared.site(host, master_port=0, port=0)
    variables = environ.rank_environ(spec, spec.ranks[0], site, os.environ)
    if workdir.find_program(spec.command[0], str(work), variables) is None:
        raise RequestError("user", f"{spec.command[0]}: command not found on node {host.node}")
    if not spec.hosts_rank_0:
        return prepared
    master = host.ports.allocate()
    try:
        replica = host.ports.allocate() if spec.readiness else None
    except (NoPortError, OSError):
        master.free()
        raise
    return prepared._replace(master=master, replica=replica)


def _wall_in(
    host: Host, prepared: Prepared, walls: Walls, done: Callable[[Prepared | RequestError], None]
) -> None:
    """Raises OSError, RequestError."""
    spec, own = prepared.spec, prepared.own(host)
    if not visible(prepared.work, spec, walls, own):
        prepared.let_go()
        detail = (
            f"the working directory {prepared.work} is not seen from within the class {walls.kind}"
        )
        raise RequestError("user", f"{detail}: send it as a bundle, or have the operator show it")

    def furnished(error: str) -> None:
        if error:
            opened(RequestError("machine", error))
            return
        try:
            open_room(host, spec, own, os.environ, opened)
        except OSError as failure:
            opened(RequestError("machine", str(failure)))

    def opened(result: Room | RequestError) -> None:
        if isinstance(result, RequestError):
            prepared.let_go()
            done(result)
        else:
            done(prepared._replace(room=result))

    if walls.uid:  # there may be much to give away
        in_child(host.loop, lambda: furnish(spec, walls, own), furnished)
    else:
        furnish(spec, walls, own)
        furnished("")


def _refusal(error: Exception) -> RequestError:
    if isinstance(error, RequestError):
        return error
    return RequestError("machine", str(error))
