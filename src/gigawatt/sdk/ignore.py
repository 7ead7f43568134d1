"""Which files of a directory are left out: `.gitignore` and `.gwignore` at every level, as git reads them.

`.gwignore` comes after the `.gitignore` beside it, so that it can take back what that leaves out. The nearest ignore
file that has an opinion decides; what lies in a directory that is left out cannot be taken back.
"""

from dataclasses import dataclass
from pathlib import Path

from pathspec import GitIgnoreSpec

IGNORE_FILES = (".gitignore", ".gwignore")
ALWAYS_LEFT_OUT = frozenset({".git", "__pycache__", ".venv"})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Level:
    """One directory's rules. Names relative to the root become names relative to it by `cut` and `prefix`."""

    spec: GitIgnoreSpec
    cut: int
    prefix: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ignore:
    """The rules that hold in one directory, nearest first."""

    levels: tuple[_Level, ...] = ()

    def leaves_out(self, name: str, *, is_directory: bool) -> bool:
        """Whether `name`, relative to the root and with slashes, stays out."""
        if name.rpartition("/")[2] in ALWAYS_LEFT_OUT:
            return True
        full = name + "/" if is_directory else name
        for level in self.levels:
            verdict = level.spec.check_file(level.prefix + full[level.cut :]).include
            if verdict is not None:
                return verdict
        return False

    def below(self, root: Path, name: str, children: set[str]) -> "Ignore":
        """The rules in the directory `name` ("" for the root), which holds `children`. Raises OSError."""
        directory = root / name if name else root
        spec = _read(directory, tuple(file for file in IGNORE_FILES if file in children))
        if spec is None:
            return self
        own = _Level(spec=spec, cut=len(name) + 1 if name else 0, prefix="")
        return Ignore(levels=(own, *self.levels))


def rules_above(root: Path) -> Ignore:
    """The rules of the directories between the root of the git repository and `root`, which is resolved.

    None outside a repository, and none where they leave `root` itself out: then it was named on purpose. Raises OSError.
    """
    chain = [root, *root.parents]
    tops = [index for index, path in enumerate(chain) if (path / ".git").exists()]
    levels: list[_Level] = []
    for parent in chain[1 : tops[0] + 1] if tops else []:
        spec = _read(parent, IGNORE_FILES)
        if spec is not None:
            prefix = root.relative_to(parent).as_posix() + "/"
            if spec.check_file(prefix).include:
                return Ignore()
            levels.append(_Level(spec=spec, cut=0, prefix=prefix))
    return Ignore(levels=tuple(levels))


def _read(directory: Path, names: tuple[str, ...]) -> GitIgnoreSpec | None:
    lines: list[str] = []
    for name in names:
        path = directory / name
        if path.is_file():
            lines += path.read_text(encoding="utf-8", errors="replace").splitlines()
    return GitIgnoreSpec.from_lines(lines) if lines else None
