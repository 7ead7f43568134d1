"""The hostile program's frame: standard library only, run in a gang as text. `FACTS` says where the prey is.

An attack raises `SucceededError` where it got through; what it returns, or an OSError, says by what it was held.
"""

import json
import os
import sys
from collections.abc import Callable
from typing import Any

FACTS: dict[str, Any] = json.loads(os.environ.get("HOSTILE_FACTS", "{}"))
ATTACKS: dict[str, Callable[[], str]] = {}


class SucceededError(Exception):
    """It got what it must not."""


def attack(function: Callable[[], str]) -> Callable[[], str]:
    """By its name with hyphens."""
    ATTACKS[function.__name__.replace("_", "-")] = function
    return function


def main() -> None:
    """Try one attack, and say what came of it."""
    try:
        held, said = True, ATTACKS[sys.argv[1]]()
    except SucceededError as error:
        held, said = False, str(error)
    except OSError as error:
        held, said = True, error.strerror or str(error)
    except MemoryError:
        held, said = True, "no more memory is given"
    sys.stdout.write(json.dumps({"held": held, "said": said}) + "\n")
    sys.stdout.flush()
