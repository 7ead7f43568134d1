"""Files that hold pickles: loading one runs what it holds, so they are told by name and by content, never loaded."""

import zipfile
from pathlib import PurePosixPath

from gigawatt.weights.source import Source

SUFFIXES = frozenset(
    {".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".joblib", ".dill", ".mar", ".t7"}
)
PICKLE = b"\x80"
PROTOCOLS = frozenset({2, 3, 4, 5})
ZIP = b"PK\x03\x04"
MEMBERS_MAX = 100_000
WHY = "loading a pickle runs any code that is in it"


def pickle_in(source: Source) -> str:
    """Why the file counts as a pickle, empty if it does not. Raises OSError."""
    suffix = PurePosixPath(source.name).suffix.lower()
    if suffix in SUFFIXES:
        return f"files that end in {suffix} are loaded as pickles"
    with source.open() as file:
        start = file.read(4)
        if start[:1] == PICKLE and len(start) > 1 and start[1] in PROTOCOLS:
            return "it begins as a pickle does"
        if start != ZIP:
            return ""
        file.seek(0)
        try:
            # The list at the archive's end is read, nothing is unpacked: a bomb stays folded.
            with zipfile.ZipFile(file) as archive:
                members = archive.namelist()
        except (zipfile.BadZipFile, ValueError, NotImplementedError, UnicodeDecodeError):
            return "it begins as an archive does, and cannot be looked into"
    if len(members) > MEMBERS_MAX:
        return f"it is an archive of {len(members)} files"
    for member in members:
        if PurePosixPath(member).suffix.lower() in SUFFIXES:
            return f"it is an archive that holds {member[:200]}"
    return ""
