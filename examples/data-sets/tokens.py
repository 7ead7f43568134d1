"""Data sets: push texts, count their words in a job that reads them, and let the job push what it found as a data set.

Start an instance with `gw up --nodes 2 --detach`, then `python examples/data-sets/tokens.py`.
"""

import json
import sys
import tempfile
from pathlib import Path

import gigawatt as gw

TEXTS = {
    "train/one.txt": "the cat sat on the mat",
    "train/two.txt": "the dog sat on the log",
    "test/three.txt": "the end",
}


@gw.job(cpus=0.1, volumes=["texts:latest:data/texts"])
def count(split: str) -> str:
    """Count the words of one split, and push the counts as a version of `counts`."""
    counts: dict[str, int] = {}
    for path in sorted((gw.data_dir("texts") / split).glob("*.txt")):
        for word in path.read_text().split():
            counts[word] = counts.get(word, 0) + 1
    out = Path(tempfile.mkdtemp())
    (out / "counts.json").write_text(json.dumps(counts, sort_keys=True))
    return gw.data.push("counts", out, message=f"words of {split}")["ref"]


def main() -> int:
    """Push, count, read the result without downloading it, and show what a change changes."""
    with tempfile.TemporaryDirectory() as place:
        texts = Path(place)
        for name, text in TEXTS.items():
            (texts / name).parent.mkdir(exist_ok=True)
            (texts / name).write_text(text)
        pushed = gw.data.push("texts", texts, message="three texts")
        print(f"pushed {pushed['ref']}: {pushed['files']} files")
        made = count.submit("train").result()
        print(f"{made}: {gw.data.open(made).cat_file('counts.json').decode()}")
        (texts / "train/two.txt").write_text("the dog sat on the frog")
        change = gw.data.diff(pushed["ref"], str(texts))
        print(f"changed since {pushed['ref']}: {[each['path'] for each in change['changed']]}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
