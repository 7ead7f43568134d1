"""What an environment is known by, and what is refused before anything is built."""

import hashlib
import json
import re

from gigawatt.build.interpreters import Machine, own_version
from gigawatt.build.pip_config import LOCAL_SCHEME, OPTIONS, split_option
from gigawatt.model.environment import HOST, EnvironmentKind, EnvironmentSpec
from gigawatt.model.refusal import Fault, RefusalCode, RefusalError

REQUIREMENTS_MAX = 2000
REQUIREMENT_CHARS_MAX = 2000
LOCK_BYTES_MAX = 4 * 1024 * 1024
FAULTS_MAX = 10
PYTHON = re.compile(r"3\.\d{1,3}(\.\d{1,3})?")
COMMENT = re.compile(r"(^|\s)#.*$")
LOCAL_PATH = re.compile(r"\.{0,2}/|~|file:")
NAME = r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?(\s*\[[^\]]*\])?"
PINNED = re.compile(NAME + r"\s*(===?\s*[^\s;,*]+\s*|@\s*\S+\s*)(;.*)?")
HASH = re.compile(r"\s--hash[= ]\S+")
NETWORK_SCHEMES = ("http://", "https://")


def environment_id(tenant: str, spec: EnvironmentSpec) -> str:
    """`env-` and 16 hex digits: the same asked for twice is the same environment, but never that of another tenant.

    An empty `python` is the control plane's own version, and the order of requirements does not count. Local
    packages count by what is in them. The host's environment is `host`.
    """
    if spec.kind is EnvironmentKind.HOST:
        return HOST
    python = spec.python or own_version()
    asked = [1, tenant, str(spec.kind), python, canonical(spec.requirements), spec.lock]
    more = {
        "system": sorted(set(spec.system)),
        "packages": sorted({package.digest for package in spec.packages}),
        "indexes": [[index.url, index.owner, index.secret] for index in spec.indexes],
    }
    asked += [{name: value for name, value in more.items() if value}] if any(more.values()) else []
    text = json.dumps(asked)
    return f"env-{hashlib.sha256(text.encode()).hexdigest()[:16]}"


def canonical(requirements: tuple[str, ...]) -> list[str]:
    """Requirements without comments, blanks and doubles, sorted."""
    stripped = (COMMENT.sub("", line).strip() for line in requirements)
    return sorted({line for line in stripped if line})


def is_option(line: str) -> bool:
    """Whether a line of requirements is an option, such as `--index-url`, and no package."""
    return line.lstrip().startswith("-")


def lock_lines(lock: str) -> list[str]:
    """The logical lines of a requirements lock: continuations joined, comments and blanks left out."""
    joined = re.sub(r"\\[ \t]*\r?\n", " ", lock)
    stripped = (COMMENT.sub("", line).strip() for line in joined.splitlines())
    return [line for line in stripped if line]


def check_spec(spec: EnvironmentSpec, machine: Machine) -> None:
    """Refuse at submit what `machine` can never build. Whether packages exist is only known to the resolver.

    Raises RefusalError: `unsupported` for a kind or a Python that is not there (and names those that are), `invalid`
    for lines that cannot be part of an environment, `too-large` for lists over the limits.
    """
    if spec.kind not in machine.kinds:
        raise RefusalError(
            RefusalCode.UNSUPPORTED,
            f"this machine has no environments of kind {spec.kind}",
            field="environment.kind",
            hint=f"it has {', '.join(sorted(machine.kinds))}",
        )
    if spec.kind is EnvironmentKind.HOST:
        _check_host(spec)
        return
    _check_python(spec.python, machine)
    _check_sizes(spec)
    faults = [*_requirement_faults(spec.requirements), *_lock_faults(spec.lock)]
    if faults:
        first = faults[0]
        raise RefusalError(
            RefusalCode.INVALID,
            first.detail,
            field=first.field,
            hint=first.hint,
            faults=tuple(faults[:FAULTS_MAX]),
        )


def _check_host(spec: EnvironmentSpec) -> None:
    for field in ("python", "requirements", "lock", "packages", "indexes"):
        if getattr(spec, field):
            raise RefusalError(
                RefusalCode.INVALID,
                "the host's environment is what is on the machine: nothing can be added to it",
                field=f"environment.{field}",
                hint="write `kind: uv` to have an environment built",
            )


def _check_python(python: str, machine: Machine) -> None:
    if python and not PYTHON.fullmatch(python):
        raise RefusalError(
            RefusalCode.INVALID,
            f"{python!r} is not a Python version",
            field="environment.python",
            hint='write it as "3.11" or "3.11.7" (in quotes: YAML reads 3.10 as 3.1)',
        )
    if machine.interpreter(python or own_version()) is None:
        raise RefusalError(
            RefusalCode.UNSUPPORTED,
            f"this machine has no Python {python or own_version()}",
            field="environment.python",
            hint=f"it has {', '.join(machine.versions)}" if machine.versions else "it has none",
        )


def _check_sizes(spec: EnvironmentSpec) -> None:
    if spec.lock and any(not is_option(line) for line in canonical(spec.requirements)):
        raise RefusalError(
            RefusalCode.INVALID,
            "an environment has requirements or a lock, not both",
            field="environment.lock",
            hint="leave out `requirements`: a lock already says everything",
        )
    if len(spec.requirements) > REQUIREMENTS_MAX:
        raise RefusalError(
            RefusalCode.TOO_LARGE,
            f"{len(spec.requirements)} requirements, of at most {REQUIREMENTS_MAX}",
            field="environment.requirements",
        )
    size = len(spec.lock.encode())
    if size > LOCK_BYTES_MAX:
        raise RefusalError(
            RefusalCode.TOO_LARGE,
            f"a lock of {size} bytes, of at most {LOCK_BYTES_MAX}",
            field="environment.lock",
        )


def _requirement_faults(requirements: tuple[str, ...]) -> list[Fault]:
    faults: list[Fault] = []
    for index, line in enumerate(requirements):
        detail, hint = _requirement_problem(line)
        if detail:
            field = f"environment.requirements[{index}]"
            faults.append(Fault(field=field, detail=detail, hint=hint))
    return faults


def _requirement_problem(line: str) -> tuple[str, str]:
    text = COMMENT.sub("", line).strip()
    if not line.isprintable() or len(line) > REQUIREMENT_CHARS_MAX:
        return f"{line[:80]!r} is not one line of text", "write one requirement in each entry"
    if is_option(text):
        return _option_problem(text)
    target = text.partition("@")[2].strip() if "@" in text else text
    if LOCAL_PATH.match(target):
        hint = "name a package of an index, or put your code into the bundle"
        return f"{text!r} is a path on the machine that builds, whose content may change", hint
    return "", ""


def _option_problem(line: str) -> tuple[str, str]:
    option, value = split_option(line)
    allowed = ", ".join(sorted(name for name in OPTIONS if name.startswith("--")))
    if option not in OPTIONS:
        return f"{option} is not possible in an environment", f"possible are {allowed}"
    if not value:
        return f"{option} needs a value", ""
    is_source = "binary" not in option
    if is_source and (value.startswith(LOCAL_SCHEME) or not value.startswith(NETWORK_SCHEMES)):
        hint = "directories belong into the machine's pip configuration"
        return f"{option} takes an http or https URL here, not {value!r}", hint
    return "", ""


def _lock_faults(lock: str) -> list[Fault]:
    faults: list[Fault] = []
    for line in lock_lines(lock):
        bare = HASH.sub("", line).strip()
        if is_option(bare):
            detail, hint = _option_problem(bare)
        elif PINNED.fullmatch(bare):
            detail, hint = _requirement_problem(bare)
        else:
            detail = f"{bare[:80]!r} is not pinned to one version"
            hint = "a lock names exact versions (name==1.2.3); `uv pip compile` writes one"
        if detail:
            faults.append(Fault(field="environment.lock", detail=detail, hint=hint))
    return faults
