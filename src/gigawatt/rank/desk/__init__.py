"""The desk of a workspace: stands before its program on its node, gives terminals, and measures whether it is used.

It runs as the one rank of a workspace's gang. Standard library only and Python 3.9 or later, like all that is put
beside ranks. What it is told is in GIGAWATT_WORKSPACE_* variables; whoever connects must know the token, which is in a
file that only its user can read. The program itself listens on a socket in a directory of ours, never on a port.
"""

from __future__ import annotations


def main() -> None:
    """Run until the program ends or a SIGTERM comes; exits with the program's own code."""
    import asyncio
    import sys

    from gigawatt.rank.desk.run import run

    sys.exit(asyncio.run(run()))
