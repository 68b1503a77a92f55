"""A Kubernetes for the tests and the demo, on any machine: `python3.11 tests/cluster/cluster.py --help`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from local_cluster.cli import main  # noqa: E402

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
