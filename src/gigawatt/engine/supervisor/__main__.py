"""Run one supervisor: `python -I -S .../supervisor/__main__.py --dir NODE_DIR --node NAME --instance ID`.

Started as a file, isolated and without site: nothing of the environment that it is started from gets in.
"""

import os
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[3]))

from gigawatt.engine.supervisor.serve import main

if __name__ == "__main__":
    code = main(sys.argv[1:])
    os._exit(
        code
    )  # nothing is left to do, and to let go of every module takes as long as to load some
