"""What is known of the packages that are installed: whether PyPI, or else OSV, knows a fault of any, by pip-audit; and by
what lies here whether each satisfies what gigawatt and the others ask for, and has the files that its wheel brought.

It ends with 0 where all were asked about and are well, 1 for a fault, and 77 where nobody could be asked: then nothing is known.
"""

import base64
import hashlib
import json
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import Distribution, PackageNotFoundError, distribution, distributions
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement

COMMAND = (
    "pip-audit",
    "--skip-editable",
    "--progress-spinner",
    "off",
    "--timeout",
    "10",
    "-f",
    "json",
)
SERVICES = ("pypi", "osv")  # asked in this order, until one knows any of the packages
ASKED_S = 90
UNKNOWN = 77  # as Automake has it for a test that was skipped
ROOT = "gigawatt"
SHA256 = "sha256"


def main() -> int:
    bad = [*unmet(), *changed()]
    print(f"offline: {len(bad)} things are not as they should be", *bad, sep="\n")
    for service in SERVICES:
        found = _asked(service)
        asked = [each for each in found if "skip_reason" not in each]
        if asked:
            faults = [line for each in asked for line in _faults(each)]
            print(f"{service}: {len(asked)} of {len(found)} packages known, {len(faults)} faults")
            print("\n".join(faults))
            return 1 if faults or bad else 0
        print(f"{service}: knows none of {len(found)} packages, or could not be asked")
    print("whether any of them has a known fault was not found out")
    return 1 if bad else UNKNOWN


def unmet() -> Iterator[str]:
    """What a package that is installed asks for, and has not, or in another version."""
    for each in distributions():
        for line in each.requires or ():
            wanted = Requirement(line)
            if wanted.marker is not None and not wanted.marker.evaluate({"extra": ""}):
                continue
            try:
                there = distribution(wanted.name).version
            except PackageNotFoundError:
                there = "none"
            if there == "none" or not wanted.specifier.contains(there, prereleases=True):
                yield f"{each.name} asks for {wanted.name}{wanted.specifier}, and there is {there}"


def changed() -> Iterator[str]:
    """Files of what gigawatt needs to run that are not what their wheel's record says."""
    for each in needed(ROOT):
        for file in each.files or ():
            if file.hash is None or file.hash.mode != SHA256:
                continue
            try:
                digest = hashlib.sha256(Path(str(file.locate())).read_bytes()).digest()
            except OSError:
                yield f"{each.name}: {file} cannot be read"
                continue
            if base64.urlsafe_b64encode(digest).rstrip(b"=").decode() != file.hash.value:
                yield f"{each.name}: {file} is not what its record says"


def needed(root: str) -> Iterator[Distribution]:
    """The packages that one needs at any depth, without itself and its extras, each once."""
    names, seen = [root], {root}
    for name in names:
        try:
            found = distribution(name)
        except PackageNotFoundError:
            continue  # `unmet` tells
        if name != root:
            yield found
        for line in found.requires or ():
            wanted = Requirement(line)
            applies = wanted.marker is None or wanted.marker.evaluate({"extra": ""})
            if applies and wanted.name not in seen:
                seen.add(wanted.name)
                names.append(wanted.name)


def _asked(service: str) -> list[dict[str, Any]]:
    try:
        done = subprocess.run(
            (*COMMAND, "-s", service), capture_output=True, text=True, check=False, timeout=ASKED_S
        )
        return json.loads(done.stdout)["dependencies"]
    except (OSError, ValueError, KeyError, subprocess.TimeoutExpired):
        return []


def _faults(package: dict[str, Any]) -> list[str]:
    return [
        f"{package['name']} {package['version']}: {each['id']}, "
        f"fixed in {', '.join(each['fix_versions']) or 'no version yet'}"
        for each in package["vulns"]
    ]


if __name__ == "__main__":
    sys.exit(main())
