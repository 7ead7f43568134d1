"""Model files on this machine: what they are, and whether they may be imported."""

from pathlib import Path

from gigawatt.model.artifact import Weights
from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.weights.inspect import FILES_MAX, inspect
from gigawatt.weights.pickles import WHY
from gigawatt.weights.source import Source, file_source

PICKLES_NAMED_MAX = 5


def inspect_path(path: Path) -> Weights:
    """What a directory or a file is. Raises RefusalError: `not-found`, and `invalid` for what is damaged."""
    try:
        return inspect(_sources(path))
    except OSError as error:
        detail = f"cannot read {error.filename or path}: {error.strerror}"
        raise RefusalError(RefusalCode.INVALID, detail, field="path") from error


def check_import(path: Path, *, allow_pickle: bool) -> Weights:
    """As `inspect_path`; also refuses pickles that were not asked for, and what holds no weights that are known."""
    found = inspect_path(path)
    if found.pickles and not allow_pickle:
        named = ", ".join(found.pickles[:PICKLES_NAMED_MAX])
        more = len(found.pickles) - PICKLES_NAMED_MAX
        raise RefusalError(
            RefusalCode.UNSUPPORTED,
            f"{path} holds pickles: {named}{f' and {more} more' if more > 0 else ''}; {WHY}",
            field="path",
            hint="convert them to safetensors, or pass --allow-pickle if you trust who made them",
        )
    if found.format == "files":
        raise RefusalError(
            RefusalCode.INVALID,
            f"{path} holds neither safetensors nor GGUF files",
            field="path",
            hint="gw models push stores any files, unchecked",
        )
    return found


def _sources(path: Path) -> list[Source]:
    if path.is_file():
        return [file_source(path)]
    if not path.is_dir():
        raise RefusalError(RefusalCode.NOT_FOUND, f"there is nothing at {path}", field="path")
    sources: list[Source] = []
    root = path.resolve()
    for each in sorted(path.rglob("*")):
        if each.is_file() and each.resolve().is_relative_to(root):
            sources.append(file_source(each, each.relative_to(path).as_posix()))
        if len(sources) > FILES_MAX:
            break
    return sources
