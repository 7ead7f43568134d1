"""The homes of workspaces: a directory each, kept when its workspace is suspended or deleted.

They are where every node of this engine can write: in the data directory, or below the directory that the setting
`homes` names. A home belongs to a name within a project, so a workspace made again under its name finds it again.
"""

import shutil
from pathlib import Path


class Homes:
    """Below `root`: a directory for each tenant, in it one for each project, in it the homes by name."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def path(self, tenant: str, project: str, name: str) -> Path:
        """Where the home of that name is, or will be. All three are names by the spec's rules."""
        return self._root / tenant / project / name

    def make(self, tenant: str, project: str, name: str) -> Path:
        """The home, there and private. Raises OSError."""
        path = self.path(tenant, project, name)
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        return path

    def remove(self, path: str) -> None:
        """Delete a home with all that is in it; links are deleted, never followed. Raises OSError."""
        home = Path(path)
        depth = len(home.parts) - len(self._root.parts)
        assert home.is_relative_to(self._root), f"{home} is no home"
        assert depth == 3, f"{home} is no home"
        if home.is_symlink():
            home.unlink()
        elif home.exists():
            shutil.rmtree(home)
