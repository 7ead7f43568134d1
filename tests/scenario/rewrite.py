"""Write the golden file of every scenario anew: `python -m tests.scenario.rewrite`. Read the diff before keeping it."""

from tests.scenario.play import SCENARIOS, play
from tests.scenario.twin import TWINS, played


def main() -> None:
    for path in sorted(SCENARIOS.glob("*.toml")):
        path.with_suffix(".txt").write_text(play(path) + "\n")
    for path in sorted(TWINS.glob("*.toml")):
        path.with_suffix(".txt").write_text(played(path) + "\n")


if __name__ == "__main__":
    main()
