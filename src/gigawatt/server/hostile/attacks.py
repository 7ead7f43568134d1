"""Every attack: what it tries, by what it is stopped, and by which class it is not. The table of the docs is made of this."""

from dataclasses import dataclass
from enum import StrEnum

from gigawatt.model.gang import Isolation

CLASSES = (Isolation.PROCESS, Isolation.USER, Isolation.NODE)

VIEW = "its view has no such path"
READ_ONLY = "what is shared is read-only"
APART = "process name space of its own"
FILTER = "system call filter"
RIGHTS = "no capabilities"
NEIGHBOURS = (Isolation.PROCESS, Isolation.USER)  # where others may be on the node
ALL = CLASSES


class By(StrEnum):
    """Who carries it out."""

    RANK = "rank"  # a program in a gang
    CLIENT = "client"  # somebody who sends something
    TOKEN = "token"  # a rank's token at the API  # noqa: S105 - a name


@dataclass(frozen=True, slots=True, kw_only=True)
class Attack:
    """`open_in` are the classes that do not stop it, and `why` says what an operator can do about that."""

    name: str
    tries: str
    stopped_by: str
    by: By = By.RANK
    open_in: tuple[Isolation, ...] = ()
    why: str = ""


def _of(name: str, tries: str, stopped_by: str) -> Attack:
    return Attack(name=name, tries=tries, stopped_by=stopped_by)


FILES = (
    _of("operator-token", "read the operator's token", VIEW),
    _of("signing-key", "read the key that signs ranks' tokens", VIEW),
    _of("database", "read and write the database", VIEW),
    _of("others-bundle", "read another tenant's code", VIEW),
    _of("others-files", "read another gang's working directory", VIEW),
    _of("others-log", "read another gang's output", VIEW),
    _of("others-checkpoint", "read another gang's checkpoint", VIEW),
    _of("others-secret", "read another gang's secret", VIEW),
    _of("artifact-store", "read or write the store of artifacts", VIEW),
    _of("search", "find any of that by searching every directory", VIEW),
    _of("shared-weights", "write into cached weights that others serve", READ_ONLY),
    _of("shared-python", "write into the Python that others run", READ_ONLY),
    _of("rank-module", "write into the module that every rank loads", READ_ONLY),
    _of("system-files", "write into /etc and /usr", READ_ONLY),
    _of("scheduled-tasks", "leave a task for cron or at", VIEW),
    _of("hard-link", "link another's file into its own directory", VIEW),
    _of("device-file", "make a device file of the disk", RIGHTS),
    _of("setuid-program", "gain rights by a setuid program", "no new privileges, nosuid"),
    _of(
        "checkpoint-link",
        "report a link to another's file as a checkpoint",
        "the supervisor resolves what is reported",
    ),
    _of(
        "pipe-in-report",
        "stop the supervisor with a pipe where it reads reports",
        "only plain files are read, without waiting",
    ),
    _of(
        "link-in-report",
        "have the supervisor overwrite a file through a link",
        "links are not followed where ranks write",
    ),
    Attack(
        name="archive-tricks",
        tries="send a bundle with `..`, absolute paths, links that lead out, devices and pipes",
        stopped_by="checked before it is unpacked",
        by=By.CLIENT,
    ),
)
PROCESSES = (
    _of("others-processes", "list what others run", APART),
    _of("others-environment", "read the environment of another's process", APART),
    _of("others-memory", "read another's memory by /proc, ptrace and process_vm_readv", APART),
    _of("signal-others", "signal another's process", APART),
    _of("debug-terminal", "type into a terminal that somebody else reads", FILTER),
    _of("core-dump", "leave memory in a core file", "no core files"),
)
LIMITS = (
    _of("fork-bomb", "start processes without end", "limit of processes"),
    _of("memory-bomb", "take memory without end", "control group, or limit of data"),
    _of("file-descriptors", "open files without end", "limit of open files"),
    _of("log-flood", "write output without end", "the oldest output is dropped"),
    Attack(
        name="disk-fill",
        tries="fill the disk",
        stopped_by="",
        open_in=ALL,
        why="put the data directory on a file system of its own; `disk_free_hard` stops new work",
    ),
    Attack(
        name="file-flood",
        tries="use up the file system's files",
        stopped_by="",
        open_in=ALL,
        why="as disk-fill",
    ),
)
KERNEL = (
    _of("mount", "mount a file system", FILTER),
    _of("chroot", "change its root", FILTER),
    _of("enter-name-spaces", "enter name spaces of others", FILTER),
    _of("user-name-space", "make a user name space, in which it has rights", FILTER),
    _of("keyrings", "use the kernel's keyrings", FILTER),
    _of("kernel-doors", "use bpf, perf, userfaultfd and io_uring", FILTER),
    _of("kernel-code", "load a module or another kernel", FILTER),
    _of("kernel-memory", "read /proc/kcore, /dev/mem and the kernel's log", FILTER),
    _of("kernel-settings", "write /proc/sys and sysrq", "read-only"),
    _of("control-groups", "change its own limits", VIEW),
)
NETWORK = (
    _of("control-sockets", "speak to the supervisor and the control plane", VIEW),
    _of("system-sockets", "speak to D-Bus, Docker and systemd", VIEW),
    _of("port-in-use", "take the port of the API or the gateway", "the kernel"),
    _of("others-shared-memory", "read another's shared memory", APART),
    Attack(
        name="abstract-socket",
        tries="connect to another's abstract socket",
        stopped_by="no neighbours",
        open_in=NEIGHBOURS,
        why="programs should check who connects; or class node",
    ),
    Attack(
        name="others-port",
        tries="listen where another gang will meet",
        stopped_by="no neighbours",
        open_in=NEIGHBOURS,
        why="ranks share the network of their node; or class node",
    ),
    Attack(
        name="others-by-api",
        tries="read jobs, logs, artifacts and secrets of others with a rank's token",
        stopped_by="the token is for one job",
        by=By.TOKEN,
    ),
    Attack(
        name="forged-token",
        tries="use a token of another job, or one that it made up",
        stopped_by="tokens are signed",
        by=By.TOKEN,
    ),
)
ATTACKS = (*FILES, *PROCESSES, *LIMITS, *KERNEL, *NETWORK)


def table() -> str:
    """As the docs show it, in Markdown."""
    lines = ["| attack | tries to | process | user | node | by what |", "|---|---|---|---|---|---|"]
    for each in ATTACKS:
        cells = ["**open**" if kind in each.open_in else "contained" for kind in CLASSES]
        words = "; ".join(filter(None, (each.stopped_by, f"open: {each.why}" if each.why else "")))
        lines.append(f"| `{each.name}` | {each.tries} | {' | '.join(cells)} | {words} |")
    return "\n".join(lines)
