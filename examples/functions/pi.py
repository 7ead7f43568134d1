"""Functions as jobs: pi by dice, in eight jobs at once, and once more with two ranks that share the work.

Start an instance with `gw up --nodes 2 --detach`, then `python examples/functions/pi.py`.
"""

import os
import sys
from random import Random

import gigawatt as gw


@gw.job(cpus=0.1, retries=1)
def hits(seed: int, throws: int = 20_000) -> int:
    """How many of the throws fall into the quarter circle."""
    dice = Random(seed)
    return sum(dice.random() ** 2 + dice.random() ** 2 < 1 for _ in range(throws))


@gw.job(nodes=2, cpus=0.1)
class Shared:
    """The same by a gang: every rank throws its part. A class has setup, run and teardown, in every rank."""

    def __init__(self, throws: int) -> None:
        self.throws = throws
        self.part = 0

    def setup(self) -> None:
        """What takes long and is done once goes here."""
        self.part = self.throws // int(os.environ.get("WORLD_SIZE", "1"))

    def run(self) -> float:
        """This rank's estimate."""
        rank = int(os.environ.get("RANK", "0"))
        print(f"rank {rank} throws {self.part} times")
        gw.report(step=1, tokens=self.part)
        return 4 * hits(seed=rank, throws=self.part) / self.part


def main() -> int:
    """Here, in eight jobs, and in a gang of two."""
    throws = 20_000
    print(f"here: {4 * hits(0) / throws}")
    found = hits.map(range(8)).results(timeout=120)
    print(f"eight jobs: {4 * sum(found) / (8 * throws)}")
    future = Shared.submit(40_000)
    for line in future.logs(rank=1):
        print(f"  {line}")
    print(f"two ranks: {sum(future.results(timeout=120)) / 2}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
