"""Write the golden file of every scenario anew: `python -m tests.scenario.rewrite`. Read the diff before keeping it."""

from tests.scenario.play import SCENARIOS, play


def main() -> None:
    for path in sorted(SCENARIOS.glob("*.toml")):
        path.with_suffix(".txt").write_text(play(path) + "\n")


if __name__ == "__main__":
    main()
