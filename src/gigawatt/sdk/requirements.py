"""Requirements files as people keep them, read into the plain list that the API takes."""

from pathlib import Path

from gigawatt.model.refusal import RefusalCode, RefusalError

NESTED_MAX = 8
FILE_BYTES_MAX = 1 << 20
_INCLUDES = ("-r ", "--requirement ", "--requirement=")


def read_requirements(path: Path, *, field: str, depth: int = 0) -> list[str]:
    """The requirements of a file and of those that it includes with `-r`, without comments.

    Raises:
        RefusalError: a file is missing, too large, includes itself, or holds another option; says which line.
    """
    if depth > NESTED_MAX:
        detail = f"{path}: includes more than {NESTED_MAX} files within each other"
        raise RefusalError(RefusalCode.INVALID, detail, field=field)
    found: list[str] = []
    for number, line in _lines(read_text(path, field=field)):
        if line.startswith(_INCLUDES):
            named = line.removeprefix("--requirement=").removeprefix("--requirement ")
            inner = path.parent / named.removeprefix("-r ").strip()
            found += read_requirements(inner, field=field, depth=depth + 1)
        elif line.startswith("-"):
            raise RefusalError(
                RefusalCode.INVALID,
                f"{path}:{number}: an option, not a requirement: {line[:60]!r}",
                field=field,
                hint="indexes, constraints and certificates come from the machine's pip configuration",
            )
        else:
            found.append(line)
    return found


def read_text(path: Path, *, field: str) -> str:
    """The text of a file that a job names. Raises RefusalError."""
    try:
        if path.stat().st_size > FILE_BYTES_MAX:
            detail = f"{path} is over the limit of {FILE_BYTES_MAX} bytes"
            raise RefusalError(RefusalCode.TOO_LARGE, detail, field=field)
        return path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        hint = "paths in a job file start at the directory that the file is in"
        raise RefusalError(
            RefusalCode.NOT_FOUND, f"{field}: no such file: {path}", field=field, hint=hint
        ) from error
    except UnicodeDecodeError as error:
        detail = f"{field}: not a text file: {path}"
        raise RefusalError(RefusalCode.INVALID, detail, field=field) from error
    except OSError as error:
        detail = f"{field}: cannot read {path}: {error.strerror}"
        raise RefusalError(RefusalCode.INVALID, detail, field=field) from error


def _lines(text: str) -> list[tuple[int, str]]:
    """Numbered lines that say something, with continued lines joined to the first."""
    joined: list[tuple[int, str]] = []
    before = ""
    start = 0
    for number, line in enumerate(text.splitlines(), start=1):
        start = start if before else number
        if line.endswith("\\"):
            before += line[:-1] + " "
            continue
        whole = _without_comment(before + line)
        before = ""
        if whole:
            joined.append((start, whole))
    rest = _without_comment(before)
    return [*joined, (start, rest)] if rest else joined


def _without_comment(line: str) -> str:
    stripped = line.strip()
    return "" if stripped.startswith("#") else stripped.split(" #", 1)[0].strip()
