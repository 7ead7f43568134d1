"""No committed file names the machine that it was written on, or where that machine gets its packages from."""

import re
import socket
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

from tests.house.files import ROOT, expect_none, text_files

SYSTEM = ("/", "/home", "/opt", "/root", "/srv", "/tmp", "/usr", "/usr/src", "/var", "/var/tmp")
SOMEONES = r"/(?:home|Users)/[a-z][a-z0-9_-]*/|/root/[a-z.]|/tmp/(?!gigawatt)[a-z]"


def test_no_file_names_a_directory_of_one_machine() -> None:
    places = [SOMEONES, *local_places()]
    expect_none(fault for path, text in text_files() for fault in named_places(path, text, places))


def test_no_file_names_where_this_machine_gets_its_packages() -> None:
    sources = [re.escape(place) for place in package_sources()]
    expect_none(fault for path, text in text_files() for fault in named_places(path, text, sources))


def test_a_home_a_temporary_and_a_given_directory_are_found() -> None:
    home, temporary = "/home/" + "ann/data", "/tmp/" + "scratch"
    assert named_places("f", f"cd {home}\n", [SOMEONES]) == ["f:1: /home/" + "ann/"]
    assert named_places("f", f"\nrm {temporary}", [SOMEONES]) == ["f:2: /tmp/" + "s"]
    assert named_places("f", "see /builds/ours/x", ["/builds/ours"]) == ["f:1: /builds/ours"]
    assert named_places("f", "see /usr/lib\n", [SOMEONES, "/builds/ours"]) == []


def local_places() -> list[str]:
    """Patterns for this checkout, the directories above it that are not everybody's, and the machine's name."""
    above = [str(path) for path in (ROOT, *ROOT.parents) if str(path) not in SYSTEM]
    name = socket.gethostname()
    names = [re.escape(name)] if len(name) > 8 and name != "localhost" else []
    return [rf"(?<![\w}}]){re.escape(place)}/" for place in above] + names


def package_sources() -> list[str]:
    """Directories and hosts of pip's configuration, the public index's host apart."""
    told = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=True
    )
    values = [
        word
        for line in told.stdout.splitlines()
        for word in line.split("=", 1)[1].strip("'").split()
    ]
    places = {urlsplit(value).netloc or urlsplit(value).path for value in values}
    return sorted(
        place
        for place in places
        if (place.startswith("/") or "." in place)
        and not place.endswith((".org", ".pem", ".crt"))
        and str(Path(place)) not in SYSTEM
    )


def named_places(path: str, text: str, patterns: list[str]) -> list[str]:
    every = re.compile(f"({'|'.join(patterns) or '(?!)'})")
    return [
        f"{path}:{number}: {match[0]}"
        for number, line in enumerate(text.splitlines(), start=1)
        for match in every.finditer(line)
    ]
