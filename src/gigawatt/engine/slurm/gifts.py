"""What a gang finds that must be its own user's: the directory of its checkpoints, and the home of its workspace."""

import os
from pathlib import Path

from gigawatt.engine.slurm.files import Files
from gigawatt.engine.slurm.owners import PASS
from gigawatt.engine.slurm.users import unix_user
from gigawatt.model.gang import GangKind
from gigawatt.model.launch import Launch


class NotGivenError(Exception):
    """Something cannot be its user's; what, and what to do. `theirs`: the request itself cannot be met."""

    def __init__(self, reason: str, *, theirs: bool = False) -> None:
        super().__init__(reason)
        self.theirs = theirs


def give_all(data: Path, files: Files, launch: Launch, user: str) -> None:
    """Raises NotGivenError."""
    path = Path(launch.checkpoint_dir)
    if launch.checkpoint_dir and path.is_relative_to(data):
        try:
            files.give_directory(path, user)
        except OSError as error:
            raise NotGivenError(f"{path} cannot be given to {user}: {error.strerror}") from error
    if launch.kind is GangKind.WORKSPACE:
        _give_home(Path(dict(launch.env)["HOME"]), user)


def _give_home(home: Path, user: str) -> None:
    """One that is new is given; one that somebody has used is theirs. It was made where nobody but us can make anything."""
    found = unix_user(user)
    try:
        status = home.lstat()
        if status.st_uid == found.uid:
            return
        if status.st_uid != os.geteuid() or any(home.iterdir()):
            whose = home.owner()
            raise NotGivenError(
                f"the home {home} is {whose}'s, and the workspace is {user}'s: make one of another name, or "
                f"have an operator run chown -R {user} {home}",
                theirs=True,
            )
        os.chown(home, found.uid, found.gid, follow_symlinks=False)
        for above in (home.parent, home.parent.parent, home.parent.parent.parent):
            above.chmod(above.stat().st_mode & 0o7777 | PASS)
    except (OSError, KeyError) as error:
        raise NotGivenError(f"the home {home} cannot be given to {user}: {error}") from error
