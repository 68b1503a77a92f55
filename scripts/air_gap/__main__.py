"""Brings all that a cluster without a way out needs to where it can get it; see docs/air-gap.md.

    .venv/bin/python scripts/air_gap --values my-images.yaml --registry registry.internal/trainingrun --dry-run run.yaml

prints every command: the images that the values name, the chart, and what the runs read from a hub. Without --dry-run
the images are copied, and with --data FOLDER what lies on a hub is downloaded into it.
"""

import argparse
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import copying
import hub
import yaml
from copying import AirGapError, Command

CHECKOUT = Path(__file__).resolve().parents[2]


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit status: 0, or 1 with a sentence on standard error."""
    options = _parser().parse_args(arguments)
    try:
        images = copying.references(_values(options.values), options.also)
        if options.dry_run:
            print("\n".join(_script(options, images)))
        else:
            _carry_out(options, images)
    except AirGapError as error:
        print(f"air_gap: {error}", file=sys.stderr)
        return 1
    return 0


def _values(file: Path) -> dict[str, object]:
    try:
        found = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise AirGapError(f"{file} can't be read as values of the chart: {error}") from error
    return found if isinstance(found, dict) else {}


def _script(options: argparse.Namespace, images: Sequence[str]) -> Iterator[str]:
    """Everything as a shell script."""
    yield "#!/bin/sh\nset -eu"
    yield f"\n# 1. {len(images)} images, by {options.tool}"
    yield from map(_text, copying.commands(options.tool, options.way, images, options.registry, options.folder))
    yield f"\n# 2. the chart: take the file along\n{_text(_package(options))}"
    yield f"\n# 3. what the runs read, for their claim; {options.data or 'data'}/ becomes its root"
    for file in options.runs:
        yield f"# {file}"
        for one in hub.needs(file):
            yield one.text(options.data or Path("data"))
    yield "\n# 4. where there is no way out"
    values = f"--values {options.values} --set images.registry={options.registry}"
    yield f"# helm install trainingrun trainingrun-*.tgz {values}"


def _carry_out(options: argparse.Namespace, images: Sequence[str]) -> None:
    commands = [
        *copying.commands(options.tool, options.way, images, options.registry, options.folder),
        _package(options),
    ]
    downloads = [one.command(options.data) for file in options.runs for one in hub.needs(file)] if options.data else []
    commands += [one for one in downloads if one]
    for program in {command[0] for command in commands}:
        if shutil.which(program) is None:
            raise AirGapError(f"{program} is not installed: install it, or see the commands with --dry-run.")
    options.folder.mkdir(parents=True, exist_ok=True)
    for command in commands:
        print(f"$ {_text(command)}", flush=True)
        done = subprocess.run(command, check=False)
        if done.returncode != 0:
            raise AirGapError(
                f"`{_text(command)}` failed: mend what it says above; what was copied is not copied again."
            )
    if options.tool == "crane" and options.way == "copy":
        _compare(images, options.registry)


def _compare(images: Iterable[str], registry: str) -> None:
    """What came out must be what went in, byte for byte: the values' digests go on to hold."""
    for image in images:
        there, here = (_digest(one) for one in (image, copying.target(image, registry)))
        if there != here:
            raise AirGapError(f"{image} has become {here} in {registry} instead of {there}: the copy is not the image.")
    print("Every image has the same digest in both registries.")


def _digest(reference: str) -> str:
    done = subprocess.run(["crane", "digest", reference], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise AirGapError(f"The digest of {reference} can't be had: {done.stderr.strip()}")
    return done.stdout.strip()


def _package(options: argparse.Namespace) -> Command:
    return ["helm", "package", str(CHECKOUT / "helm" / "trainingrun"), "--destination", str(options.folder)]


def _text(command: Command) -> str:
    return shlex.join(command)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="air_gap", description="Bring images, chart and data to a closed cluster.")
    parser.add_argument("runs", nargs="*", metavar="RUN", help="manifests of the runs that are to go there")
    parser.add_argument("--values", type=Path, required=True, help="values of the chart, as for helm install")
    parser.add_argument("--registry", required=True, help="the registry inside, with a path if need be")
    parser.add_argument(
        "--also",
        action="append",
        default=[],
        metavar="IMAGE",
        help="a further image, of the training-operator for example",
    )
    parser.add_argument("--tool", choices=sorted(copying.TOOLS), default="crane", help="what copies (default: crane)")
    ways = "copy from registry to registry; where nothing sees both, save into --folder and load from there"
    parser.add_argument("--way", choices=copying.WAYS, default="copy", help=f"{ways} (default: copy)")
    parser.add_argument(
        "--folder", type=Path, default=Path("air-gap"), help="for the chart and saved images (default: air-gap)"
    )
    parser.add_argument(
        "--data", type=Path, metavar="FOLDER", help="download what lies on a hub into this folder, by hf"
    )
    parser.add_argument("--dry-run", action="store_true", help="print the commands as a shell script and do nothing")
    return parser


if __name__ == "__main__":
    sys.exit(main())
