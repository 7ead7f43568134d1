"""Directories that path volumes may be: below the roots that the operator allows, and nowhere that a link leads from there."""

from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from gigawatt.model.refusal import RefusalCode, RefusalError

SETTING = "volume_roots"


def parse_roots(text: str) -> tuple[str, ...]:
    """The roots in the setting: absolute, separated by colons, sorted. Raises RefusalError (invalid)."""
    found = sorted({each.strip() for each in text.split(":") if each.strip()})
    for each in found:
        if not each.startswith("/") or ".." in PurePosixPath(each).parts:
            detail = f"{SETTING} has {each!r}, which is not an absolute path without '..'"
            raise RefusalError(RefusalCode.INVALID, detail, field=SETTING)
    return tuple(found)


def allowed_directory(path: str, roots: Sequence[str], *, tenant: str, project: str) -> str:
    """The directory at `path`, as it is called without links. `{tenant}` and `{project}` in roots are the owner's own.

    Nothing outside the roots is looked at: whether something is there is not told. Raises RefusalError (forbidden,
    invalid, not-found).
    """
    own = [_filled(root, tenant, project) for root in roots]
    asked = PurePosixPath(path)
    if not asked.is_absolute() or ".." in asked.parts or "\0" in path:
        detail = f"{path[:200]!r} is not an absolute path without '..'"
        raise RefusalError(RefusalCode.INVALID, detail, field="path")
    if not any(asked.is_relative_to(root) for root in own):
        raise _outside(path, own)
    try:
        real = Path(path).resolve(strict=True)
    except (OSError, RuntimeError) as error:
        detail = f"there is no directory {path}"
        raise RefusalError(RefusalCode.NOT_FOUND, detail, field="path") from error
    if not any(real.is_relative_to(Path(root).resolve()) for root in own):
        raise _outside(path, own)
    if not real.is_dir():
        raise RefusalError(RefusalCode.INVALID, f"{path} is not a directory", field="path")
    return str(real)


def _filled(root: str, tenant: str, project: str) -> str:
    return root.replace("{tenant}", tenant).replace("{project}", project)


def _outside(path: str, roots: Sequence[str]) -> RefusalError:
    if not roots:
        hint = f"an operator allows roots with the setting {SETTING}, e.g. /mnt/data/{{project}}"
        return RefusalError(
            RefusalCode.FORBIDDEN, "no path may be a volume here", field="path", hint=hint
        )
    hint = f"allowed are directories below {', '.join(roots)}"
    detail = f"{path[:200]} is not, or does not stay, below a root that is allowed"
    return RefusalError(RefusalCode.FORBIDDEN, detail, field="path", hint=hint)
