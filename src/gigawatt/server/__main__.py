"""The detached control plane: told its settings and a descriptor on which to say that it is ready, or why not."""

import json
import os
import sys

from gigawatt.model.refusal import RefusalError
from gigawatt.server.instance import Instance
from gigawatt.server.run import run
from gigawatt.server.up import FAILED, READY, decoded


def main(settings: str, descriptor: str) -> int:
    """Run until stopped; the exit code."""

    def say(word: str) -> None:
        os.write(int(descriptor), f"{word}\n".encode())
        os.close(int(descriptor))

    def ready(_instance: Instance) -> None:
        say(READY)

    try:
        return run(decoded(settings), ready=ready, waits=None)
    except RefusalError as refusal:
        told = {"detail": refusal.detail, "hint": refusal.hint, "field": refusal.field}
        say(f"{FAILED} {json.dumps(told)}")
        return 2


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
