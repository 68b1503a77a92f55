"""Builds the images that a cluster runs: `python3.11 images/build.py [NAME…]`.

Tags are by content, so what is there already is not built again. Without options the images go where the local cluster
runs them from: BuildKit builds them into its containerd, or docker and then kind. For a cluster of your own:

    images/build.py --repository REGISTRY/trainingrun --push --cuda full

builds with docker, podman or buildah, whichever answers, and pushes. Names and tags of what was built, by role, are
written to $TRAININGRUN_CACHE/images.json: the values of the chart's `images`. $BASE_IMAGE names a Debian-based image to
pull for the base, or is `made` for a Debian 12 made by mmdebstrap, which BuildKit's way takes if nothing is said.
Package indexes, proxies and certificates are taken from this machine's pip and apt and passed as secrets.
"""

import argparse
import json
import os
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(CHECKOUT / "images"), str(CHECKOUT / "tests" / "cluster")]

from building.catalogue import CATALOGUE, built_upon, with_bases  # noqa: E402
from building.content import Plan  # noqa: E402
from building.errors import BuildError  # noqa: E402
from building.line import Line  # noqa: E402
from building.store import Store  # noqa: E402
from building.with_buildkit import BuildKit  # noqa: E402
from building.with_engine import TOOLS, Engine, answers  # noqa: E402
from local_cluster import cluster  # noqa: E402
from local_cluster.errors import ClusterError  # noqa: E402
from local_cluster.paths import cache, locked  # noqa: E402
from local_cluster.programs import built  # noqa: E402
from local_cluster.progress import say  # noqa: E402

LOCAL = "localhost/trainingrun"
PULLED_BASE = "debian:bookworm-slim"
MADE_BASE = "made"
CACHE_LIMIT = 38e9  # bytes; the cache stays below 40 GB, and the next images need some room


def main(arguments: Sequence[str]) -> int:
    """Build, or list, or remove; the exit status: 0, or 1 with a sentence on standard error."""
    options = _parser().parse_args(arguments)
    try:
        with locked("images"):
            return _run(options)
    except (BuildError, ClusterError) as error:
        print(f"images: {error}", file=sys.stderr)
        return 1


def _run(options: argparse.Namespace) -> int:
    unknown = sorted(set(options.names) - set(CATALOGUE))
    if unknown:
        raise BuildError(f"There is no image {unknown[0]!r}: choose of {', '.join(CATALOGUE)}.")
    tool = options.tool or _tool(options)
    plan, store = _plan(options, tool), _store(options, tool)
    names = with_bases(options.names)
    if options.list:
        return _list(plan, store.references(), names)
    # Once, so that a file that is edited meanwhile changes the next build and not half of this one.
    references = {name: plan.reference(name) for name in CATALOGUE}
    made = Line(plan, references, store, cache() / "logs" / "images").build(names)
    final = [references[name] for name in names if CATALOGUE[name].roles]
    if made or options.push:
        store.deliver(final)
    _write_roles(references, store.references())
    if built_upon() & set(made):
        store.forget_steps()
    if options.remove_others or (made and tool == "buildkit" and _cache_bytes() > CACHE_LIMIT):
        _remove_others(plan.repository, set(references.values()), store)
    say(f"{len(made)} images built, {len(names) - len(made)} were there")
    return 0


def _tool(options: argparse.Namespace) -> str:
    if cluster.way() is cluster.FROM_SOURCE and not options.push:
        return "buildkit"
    found = next((tool for tool in TOOLS if answers(tool)), None)
    if found is None:
        raise BuildError(f"None of {', '.join(TOOLS)} answers here: install one, or use --tool buildkit as root.")
    return found


def _plan(options: argparse.Namespace, tool: str) -> Plan:
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]
    arguments = {"CUDA": options.cuda, "VERSION": project["version"]}
    base = os.environ.get("BASE_IMAGE") or (MADE_BASE if tool == "buildkit" else PULLED_BASE)
    return Plan(CHECKOUT, options.repository, arguments, None if base == MADE_BASE else base)


def _store(options: argparse.Namespace, tool: str) -> Store:
    if tool == "buildkit":
        return BuildKit()
    way = cluster.way()
    if way is cluster.USERS and not options.push:
        raise BuildError("The cluster of $KUBECONFIG gets images from a registry: use --repository and --push.")
    load = [str(built("kind") / "kind"), "load", "docker-image", "--name=trainingrun"] if way is cluster.KIND else []
    return Engine(tool, load=load, push=options.push)


def _list(plan: Plan, there: set[str], names: list[str]) -> int:
    for name in names:
        reference = plan.reference(name)
        print(f"{'there' if reference in there else 'missing':<8} {reference}")
    return 0


def _write_roles(references: dict[str, str], there: set[str]) -> None:
    all_roles = {role: references[name] for name, image in CATALOGUE.items() for role in image.roles}
    roles = {role: reference for role, reference in all_roles.items() if reference in there}
    file = cache() / "images.json"
    new = file.with_suffix(".new")
    new.write_text(json.dumps(roles, indent=1) + "\n")
    new.replace(file)


def _cache_bytes() -> float:
    """What the cache takes on the disk, files with several names counted once."""
    done = subprocess.run(["du", "-sx", "--block-size=1", str(cache())], capture_output=True, text=True, check=False)
    return float(done.stdout.split()[0]) if done.stdout else 0.0  # du complains of files that go meanwhile


def _remove_others(repository: str, current: set[str], store: Store) -> None:
    others = sorted(one for one in store.references() if one.startswith(f"{repository}/") and one not in current)
    store.remove(others)
    store.forget_steps()
    say(f"removed {len(others)} images that this checkout has no use for")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="build.py", description="Build the images that a cluster runs.")
    parser.add_argument("names", nargs="*", metavar="NAME", help="images, with all they are built on; without, all")
    parser.add_argument("--list", action="store_true", help="print the images and whether they are there")
    parser.add_argument("--remove-others", action="store_true", help="remove images of other contents afterwards")
    parser.add_argument("--tool", choices=["buildkit", *TOOLS], help="what to build with; without, what is here")
    parser.add_argument("--repository", default=LOCAL, help="what images are named after, without a trailing slash")
    parser.add_argument("--push", action="store_true", help="push to the repository's registry")
    what = "what comes with torch's CUDA build: full for GPUs, import for CPU, none where the index has a CPU build"
    parser.add_argument("--cuda", choices=["full", "import", "none"], default="import", help=what)
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
