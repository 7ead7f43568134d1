"""Whose a gang's Slurm job is: the Unix user of whoever asked for the gang, where the operator has said who that is."""

import pwd
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from gigawatt.model.launch import Launch
from gigawatt.model.refusal import RefusalCode, RefusalError

SAME = "same"
FIRST_UID = 1000  # of a person; those below are the system's
ANY = "*"
PATH = "/usr/local/bin:/usr/bin:/bin"


class NoUserError(Exception):
    """Nobody there is the user of a gang; why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnixUser:
    name: str
    uid: int
    gid: int
    home: str
    shell: str

    @property
    def environ(self) -> dict[str, str]:
        """What a job of theirs starts with, in place of ours."""
        return {
            "HOME": self.home,
            "LOGNAME": self.name,
            "PATH": PATH,
            "SHELL": self.shell,
            "USER": self.name,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Users:
    """`names` is by `tenant/user` or `tenant/*`; without it everybody has the name they have here."""

    names: Mapping[str, str] | None = None

    def of(self, launch: Launch) -> UnixUser:
        """Raises NoUserError."""
        if self.names is None:
            user = unix_user(launch.user)
            if user.uid < FIRST_UID:
                raise NoUserError(f"{user.name} is a user of the system, not a person")
            return user
        asked = f"{launch.tenant}/{launch.user}"
        name = self.names.get(asked) or self.names.get(f"{launch.tenant}/{ANY}")
        if name is None:
            raise NoUserError(f"no Unix user is named for {asked}")
        return unix_user(name)


def unix_user(name: str) -> UnixUser:
    """Raises NoUserError, for root too."""
    try:
        found = pwd.getpwnam(name)
    except (KeyError, ValueError):
        raise NoUserError(f"there is no Unix user {name!r} on this machine") from None
    if found.pw_uid == 0:
        raise NoUserError("no gang runs as root")
    return UnixUser(
        name=found.pw_name,
        uid=found.pw_uid,
        gid=found.pw_gid,
        home=found.pw_dir,
        shell=found.pw_shell,
    )


def read_users(value: str) -> Users:
    """`same`, or the path of a file with a line `tenant/user unix-user` each; `*` is every user. Raises RefusalError."""
    if value == SAME:
        return Users()
    names: dict[str, str] = {}
    try:
        lines = Path(value).read_text().splitlines()
    except OSError as error:
        raise _refusal(f"{value} cannot be read: {error.strerror}") from error
    for number, line in enumerate(lines, 1):
        words = line.partition("#")[0].split()
        if not words:
            continue
        if len(words) != 2 or words[0].count("/") != 1:
            raise _refusal(f"line {number} of {value} is not `tenant/user unix-user`")
        names[words[0]] = words[1]
    return Users(names=names)


def _refusal(detail: str) -> RefusalError:
    return RefusalError(
        RefusalCode.INVALID,
        detail,
        field="slurm_users",
        hint="write same, or the path of a file with lines like `acme/alice alice` and `lab/* lab`",
    )
