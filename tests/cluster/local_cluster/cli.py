"""The command line of the cluster: results on standard output, progress and errors on standard error."""

import argparse
import os
import sys
from collections.abc import Callable, Sequence

from local_cluster import buildkit, cluster, from_source, gang_scheduling, programs, simulated
from local_cluster.errors import ClusterError
from local_cluster.kubectl import kubectl
from local_cluster.node import members
from local_cluster.paths import state


def main(arguments: Sequence[str]) -> int:
    """Run one command; returns the exit status: 0, or 1 with a sentence on standard error."""
    options = _parser().parse_args(arguments)
    run: Callable[[argparse.Namespace], int | None] = options.run
    try:
        return run(options) or 0
    except ClusterError as error:
        print(f"cluster: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("cluster: interrupted; the same command goes on from here.", file=sys.stderr)
        return 130


def _up(options: argparse.Namespace) -> None:
    kubeconfig = cluster.up(options.nodes)
    print(f"export KUBECONFIG={kubeconfig}")


def _down(_options: argparse.Namespace) -> None:
    cluster.down()


def _kubeconfig(_options: argparse.Namespace) -> None:
    print(cluster.kubeconfig())


def _exec(options: argparse.Namespace) -> int:
    command = options.command[1:] if options.command[:1] == ["--"] else options.command
    if not command:
        raise ClusterError("Nothing was said to run: `exec -- COMMAND…`.")
    environment = {**os.environ, "PATH": programs.search_path(), "BUILDKIT_HOST": buildkit.address()}
    path = cluster.way().kubeconfig()
    if path.exists():
        environment["KUBECONFIG"] = str(path)
    try:
        os.execvpe(command[0], command, environment)
    except FileNotFoundError as error:
        raise ClusterError(f"{command[0]} is neither built here nor on PATH: see `cluster.py build`.") from error


def _build(options: argparse.Namespace) -> None:
    for folder in from_source.build(options.names):
        print(folder)


def _buildkit(_options: argparse.Namespace) -> None:
    print(buildkit.start())


def _sync_images(options: argparse.Namespace) -> None:
    from_source.synchronise_images(options.images)


def _kill_node(options: argparse.Namespace) -> None:
    from_source.kill_node(options.name)


def _restore_node(options: argparse.Namespace) -> None:
    from_source.restore_node(options.name)


def _simulate(options: argparse.Namespace) -> None:
    simulated.simulate(cluster.kubeconfig(), options.count)


def _gang_scheduling(options: argparse.Namespace) -> None:
    if cluster.way() == cluster.USERS:
        raise ClusterError(
            f"{cluster.kubeconfig()} is yours: install a gang scheduler as docs/gang-scheduling.md says."
        )
    turn = {"on": gang_scheduling.turn_on, "off": gang_scheduling.turn_off}[options.switch]
    turn(cluster.kubeconfig())


def _status(_options: argparse.Namespace) -> int:
    print(cluster.way().what)
    for process in from_source.processes():
        pid = process.pid()
        print(f"  {process.name:<26}{f'pid {pid}' if pid else 'not running'}")
    if not cluster.way().kubeconfig().exists():
        print(f"  no cluster is up (state in {state()}, {len(members())} nodes)")
        return 3
    print(kubectl(cluster.kubeconfig(), "get", "nodes", "-o", "wide"), end="")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="cluster.py", description="A Kubernetes for the tests and the demo.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, run: Callable[[argparse.Namespace], int | None], help_: str) -> argparse.ArgumentParser:
        made = commands.add_parser(name, help=help_)
        made.set_defaults(run=run)
        return made

    nodes = "how many real nodes; without it, as many as there are, at least 1"
    command("up", _up, "bring the cluster up and print its KUBECONFIG").add_argument("--nodes", type=int, help=nodes)
    command("down", _down, "take it away; built programs and images stay")
    command("kubeconfig", _kubeconfig, "print the kubeconfig's path")
    command("exec", _exec, "run a command with KUBECONFIG, kubectl, helm and buildctl").add_argument(
        "command", nargs=argparse.REMAINDER, metavar="-- COMMAND"
    )
    command("build", _build, "build programs and print their folders").add_argument("names", nargs="*", metavar="NAME")
    command("buildkit", _buildkit, "start BuildKit, without the cluster, and print its address")
    command("sync-images", _sync_images, "have images, all or those named, on the other nodes").add_argument(
        "images", nargs="*", metavar="IMAGE"
    )
    command("kill-node", _kill_node, "let a node die as in a power cut").add_argument("name", metavar="NAME")
    command("restore-node", _restore_node, "start a killed node again").add_argument("name", metavar="NAME")
    command("simulate", _simulate, "have N simulated nodes, 0 for none").add_argument("count", type=int, metavar="N")
    command("gang-scheduling", _gang_scheduling, "have a scheduler of whole gangs, or not").add_argument(
        "switch", choices=("on", "off")
    )
    command("status", _status, "say what runs")
    return parser
