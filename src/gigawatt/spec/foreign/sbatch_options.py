"""The options of `#SBATCH` lines: how they are spelled, which take no value, and what to do where one means nothing."""

from collections.abc import Mapping
from dataclasses import dataclass

from gigawatt.model.refusal import RefusalCode
from gigawatt.spec.faults import nearest
from gigawatt.spec.foreign.findings import Findings
from gigawatt.spec.foreign.script import Line, Word, words_of

DIRECTIVE = "#SBATCH"

SHORT = {
    "a": "array", "A": "account", "b": "begin", "B": "extra-node-info", "c": "cpus-per-task", "C": "constraint",
    "d": "dependency", "D": "chdir", "e": "error", "F": "nodefile", "G": "gpus", "H": "hold", "i": "input",
    "I": "immediate", "J": "job-name", "k": "no-kill", "L": "licenses", "m": "distribution", "M": "clusters",
    "n": "ntasks", "N": "nodes", "o": "output", "O": "overcommit", "p": "partition", "q": "qos", "Q": "quiet",
    "s": "oversubscribe", "S": "core-spec", "t": "time", "v": "verbose", "w": "nodelist", "W": "wait",
    "x": "exclude",
}  # fmt: skip
ALIASES = {"tasks-per-node": "ntasks-per-node", "workdir": "chdir", "share": "oversubscribe"}
READ = frozenset(
    {
        *(
            "array",
            "nodes",
            "ntasks",
            "ntasks-per-node",
            "cpus-per-task",
            "mem",
            "mem-per-cpu",
            "mem-per-gpu",
        ),
        *(
            "gres",
            "gpus",
            "gpus-per-node",
            "gpus-per-task",
            "time",
            "job-name",
            "requeue",
            "no-requeue",
        ),
        *("export", "chdir", "signal"),
    }
)
FLAGS = frozenset(
    {
        *(
            "hold",
            "immediate",
            "no-kill",
            "overcommit",
            "quiet",
            "oversubscribe",
            "verbose",
            "wait",
            "requeue",
        ),
        *("no-requeue", "contiguous", "exclusive", "reboot", "parsable", "test-only", "spread-job"),
        *(
            "ignore-pbs",
            "use-min-nodes",
            "get-user-env",
            "nice",
            "propagate",
            "kill-on-invalid-dep",
        ),
    }
)  # without a value, or with one after `=` alone

_LOGS = "`gw logs JOB --rank N` prints it"
_PLACE = "nodes are chosen by what they have: gang.gpu_kinds, and gang.same for one level of the topology"
_BOUND = "cores are not pinned one by one: gang.cpus is what each node gives"
_WATCH = "`gw watch JOB` and `gw events -f` tell it"
_NONE = "leave it out"
TOLD: Mapping[str, str] = {
    "dependency": "write `after: [NAME]` with the names or ids of jobs here; it waits for their success",
    "output": _LOGS, "error": _LOGS, "open-mode": _LOGS, "input": "ranks read from /dev/null; open the file",
    "partition": _PLACE, "constraint": _PLACE, "nodelist": _PLACE, "exclude": _PLACE, "nodefile": _PLACE,
    "clusters": "name the instance: `gw run FILE --context NAME`", "cluster-constraint": _PLACE,
    "prefer": _PLACE, "switches": "write gang.same, e.g. `same: leaf`", "contiguous": _PLACE,
    "reservation": _PLACE, "account": "work belongs to a project: `gw run FILE --project NAME`",
    "qos": "write `priority`, from -1000 to 1000", "priority": "write `priority`, from -1000 to 1000",
    "nice": "write a lower `priority`, from -1000 to 1000", "wckey": "write it as a label",
    "comment": "write it as a label", "mail-type": _WATCH, "mail-user": _WATCH,
    "exclusive": "ask for all of a node's CPUs and GPUs in the gang", "oversubscribe": _NONE,
    "overcommit": "ask for fewer CPUs in gang.cpus; a fraction is allowed",
    "time-min": "`timeout` is one number, and no less is offered", "begin": "submit it at that time",
    "deadline": "write `timeout`, and submit it in time", "hold": "submit it when it may start",
    "licenses": "nothing counts licences; limit how many run with `after`", "gres-flags": _BOUND,
    "mincpus": "write gang.cpus", "tmp": "disk is not counted; a full one refuses new work",
    "bb": _NONE, "bbf": _NONE, "cores-per-socket": _BOUND, "sockets-per-node": _BOUND,
    "threads-per-core": _BOUND, "extra-node-info": _BOUND, "core-spec": _BOUND, "thread-spec": _BOUND,
    "ntasks-per-core": _BOUND, "ntasks-per-socket": _BOUND, "ntasks-per-gpu": "write gang.ranks_per_node",
    "gpus-per-socket": "write gang.gpus", "cpus-per-gpu": "write gang.cpus", "hint": _BOUND,
    "distribution": "ranks are numbered node by node", "gpu-bind": "each rank sees its own GPUs alone",
    "gpu-freq": _NONE, "cpu-freq": _NONE, "cpu-bind": _BOUND, "mem-bind": _BOUND, "tres-bind": _BOUND,
    "tres-per-task": "write gang.cpus and gang.gpus", "network": _NONE, "power": _NONE,
    "export-file": "write the variables under env", "get-user-env": "write the variables under env",
    "no-kill": "a gang that has lost a node is started again elsewhere, from its checkpoint",
    "propagate": _NONE, "profile": _NONE, "acctg-freq": _NONE, "container": "build a uv environment",
    "container-id": _NONE, "container-image": "build a uv environment; write it under environment",
    "container-mounts": "nodes show their own paths", "container-workdir": "write `workdir`",
    "container-name": _NONE, "use-min-nodes": "write `nodes: {min: …, max: …}`", "spread-job": _NONE,
    "delay-boot": _NONE, "reboot": _NONE, "immediate": _NONE, "wait": "`gw run FILE --wait`",
    "wait-all-nodes": "a gang starts when all of its nodes are there", "quiet": _NONE, "verbose": _NONE,
    "parsable": "`gw run` prints the id alone on stdout", "test-only": "`gw run FILE --dry-run`",
    "kill-on-invalid-dep": "a job whose `after` has failed does not start", "ignore-pbs": _NONE,
    "mcs-label": _NONE, "uid": _NONE, "gid": _NONE, "jobid": _NONE, "extra": "write it as a label",
    "segment": "write gang.same", "stepmgr": _NONE, "resv-ports": "MASTER_PORT is free for each job",
    "wrap": "write the command under `script`", "oom-kill-step": _NONE, "dcgm-profile": _NONE,
}  # fmt: skip
KNOWN = READ | frozenset(TOLD)


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """One option as given: its long name, its value, and its line."""

    name: str
    value: str
    line: int

    @property
    def key(self) -> str:
        return f"--{self.name}"


def read_options(lines: list[Line], findings: Findings) -> dict[str, Given]:
    """The options of all directives before the first command; the last one of a name counts. Raises RefusalError."""
    given: dict[str, Given] = {}
    commands = False
    for line in lines:
        if not line.text.startswith(DIRECTIVE):
            commands = commands or not line.blank
            continue
        rest = line.text.removeprefix(DIRECTIVE)
        if rest[:1] not in {" ", "\t"}:
            continue
        if commands:
            detail = "stands after the first command, where Slurm does not read it either"
            findings.note(DIRECTIVE, line.number, detail, "move it up if it is meant")
            continue
        if rest.strip() in {"hetjob", "packjob"}:
            hint = "write a job for each of its parts, and convert them one by one"
            detail = "hetjob: a gang's nodes are all alike"
            raise findings.refusal(
                DIRECTIVE, line.number, detail, hint, code=RefusalCode.UNSUPPORTED
            )
        for each in _given(words_of(rest), line.number, findings):
            given[each.name] = each
    return given


def _given(words: list[Word], line: int, findings: Findings) -> list[Given]:
    found: list[Given] = []
    at = 0
    while at < len(words):
        word = words[at].plain
        at += 1
        if not word.startswith("-") or len(word) < 2:
            hint = "write --option=value, e.g. #SBATCH --nodes=2"
            raise findings.refusal(DIRECTIVE, line, f"has no option before {word!r}", hint)
        name, equals, value = _split(word, line, findings)
        if name not in FLAGS and not equals:
            if at == len(words):
                raise findings.refusal(f"--{name}", line, "has no value", f"write --{name}=VALUE")
            value = words[at].plain
            at += 1
        found.append(Given(name=name, value=value.strip("\"'"), line=line))
    return found


def _split(word: str, line: int, findings: Findings) -> tuple[str, bool, str]:
    """The long name of an option, whether its value is in the same word, and that value. Raises RefusalError."""
    if word.startswith("--"):
        name, equals, value = word[2:].partition("=")
        name = ALIASES.get(name, name)
        if name not in KNOWN:
            hint = nearest(name, KNOWN) if len(name) > 1 else ""
            hint = hint if hint.startswith("did you") else "see the options of sbatch"
            raise findings.refusal(
                f"--{name}",
                line,
                "is not an option of sbatch",
                hint,
                code=RefusalCode.UNKNOWN_FIELD,
            )
        return name, bool(equals), value
    if word[1] not in SHORT:
        hint = f"allowed: {' '.join('-' + letter for letter in SHORT)}"
        raise findings.refusal(
            word[:2], line, "is not an option of sbatch", hint, code=RefusalCode.UNKNOWN_FIELD
        )
    value = word[2:].removeprefix("=")
    return SHORT[word[1]], bool(word[2:]), value
