"""The command line: what each command does, and errors as one sentence."""

import argparse
import sys
from collections.abc import Sequence

from local_cluster import buildkit, programs
from local_cluster.errors import ClusterError


def main(arguments: Sequence[str]) -> int:
    """Run one command; returns the exit status: 0, or 1 with a sentence on standard error."""
    try:
        if arguments[0] == "buildkit":
            print(buildkit.start())
        else:
            for name in arguments[1:]:
                print(programs.built(name))
    except ClusterError as error:
        print(f"cluster: {error}", file=sys.stderr)
        return 1
    return 0
