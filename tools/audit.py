"""Asks PyPI, by pip-audit, whether a fault is known of what is installed. Where nobody can be asked, that is said."""

import json
import subprocess
import sys
from typing import Any

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
ASKED_S = 180


def main() -> int:
    try:
        done = subprocess.run(COMMAND, capture_output=True, text=True, check=False, timeout=ASKED_S)
        found = json.loads(done.stdout)
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        print(f"not audited: pip-audit could ask nobody ({type(error).__name__})")
        return 0
    asked = [each for each in found["dependencies"] if "skip_reason" not in each]
    faults = [line for each in asked for line in _faults(each)]
    print(f"{len(asked)} of {len(found['dependencies'])} packages audited, {len(faults)} faults")
    print("\n".join(faults))
    return 1 if faults else 0


def _faults(package: dict[str, Any]) -> list[str]:
    return [
        f"{package['name']} {package['version']}: {each['id']}, "
        f"fixed in {', '.join(each['fix_versions']) or 'no version yet'}"
        for each in package["vulns"]
    ]


if __name__ == "__main__":
    sys.exit(main())
