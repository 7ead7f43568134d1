"""Model files on this machine: what they are, and whether they may be imported."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from gigawatt.model.artifact import Weights
from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.weights.inspect import FILES_MAX, inspect
from gigawatt.weights.pickles import WHY, pickle_in
from gigawatt.weights.source import Source, file_source

PICKLES_NAMED_MAX = 5


def inspect_path(path: Path) -> Weights:
    """What a directory or a file is. Raises RefusalError: `not-found`, and `invalid` for what is damaged."""
    try:
        return inspect(list(islice(_sources(path), FILES_MAX + 1)))
    except OSError as error:
        raise _unreadable(path, error) from error


def check_import(path: Path, *, allow_pickle: bool) -> Weights:
    """As `inspect_path`; also refuses pickles that were not asked for, and what holds no weights that are known."""
    found = inspect_path(path)
    if not allow_pickle:
        _refuse_pickles(path, found.pickles)
    if found.format == "files":
        raise RefusalError(
            RefusalCode.INVALID,
            f"{path} holds neither safetensors nor GGUF files",
            field="path",
            hint="gw models push stores any files that are no pickles, unchecked",
        )
    return found


def check_pickles(path: Path) -> None:
    """Refuse a directory or a file that holds pickles, and look at nothing else. Raises RefusalError."""
    try:
        _refuse_pickles(path, tuple(each.name for each in _sources(path) if pickle_in(each)))
    except OSError as error:
        raise _unreadable(path, error) from error


def _refuse_pickles(path: Path, pickles: tuple[str, ...]) -> None:
    if not pickles:
        return
    named = ", ".join(pickles[:PICKLES_NAMED_MAX])
    more = len(pickles) - PICKLES_NAMED_MAX
    raise RefusalError(
        RefusalCode.UNSUPPORTED,
        f"{path} holds pickles: {named}{f' and {more} more' if more > 0 else ''}; {WHY}",
        field="path",
        hint="convert them to safetensors (safetensors.torch.save_file), or pass --allow-pickle if you trust who made them",
    )


def _sources(path: Path) -> Iterator[Source]:
    if path.is_file():
        yield file_source(path)
        return
    if not path.is_dir():
        raise RefusalError(RefusalCode.NOT_FOUND, f"there is nothing at {path}", field="path")
    root = path.resolve()
    for each in sorted(path.rglob("*")):
        if each.is_file() and each.resolve().is_relative_to(root):
            yield file_source(each, each.relative_to(path).as_posix())


def _unreadable(path: Path, error: OSError) -> RefusalError:
    detail = f"cannot read {error.filename or path}: {error.strerror}"
    return RefusalError(RefusalCode.INVALID, detail, field="path")
