"""Run one supervisor: `python -I -S .../supervisor/__main__.py --dir NODE_DIR --node NAME --instance ID`.

Started as a file, isolated and without site: nothing of the environment that it is started from gets in.
"""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[3]))

from gigawatt.engine.supervisor.serve import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
