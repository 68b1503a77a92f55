"""Bills of materials of the images: `make sbom`, or `.venv/bin/python images/sbom.py --output FOLDER [NAME…]`.

One CycloneDX document (JSON, 1.6) for each image that a cluster runs, of what the requirement files pin, with the
licence of each package. It needs no image and no network. `licences.md` beside them says which licence comes how often.
What Debian's base system consists of besides is not in them: in the image, `dpkg -l` and /usr/share/doc/*/copyright.
"""

import argparse
import sys
import tomllib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output import make_outputter
from cyclonedx.schema import OutputFormat, SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL

CHECKOUT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(CHECKOUT / "images")]

from building.catalogue import CATALOGUE  # noqa: E402
from building.errors import BuildError  # noqa: E402
from building.licences import DEBIAN, PYPI, Package, licences, packages  # noqa: E402

VERSION = SchemaVersion.V1_6


def main(arguments: Sequence[str]) -> int:
    """Write them; the exit status: 0, or 1 with a sentence on standard error."""
    options = _parser().parse_args(arguments)
    try:
        known, names = licences(), options.names or [name for name, image in CATALOGUE.items() if image.roles]
        options.output.mkdir(parents=True, exist_ok=True)
        for name in names:
            if name not in CATALOGUE:
                raise BuildError(f"There is no image {name!r}: choose of {', '.join(CATALOGUE)}.")
            file = options.output / f"{name}.cdx.json"
            file.write_text(document(name, options.cuda, known), encoding="utf-8")
            print(f"{file}: {len(packages(name, options.cuda))} packages")
        (options.output / "licences.md").write_text(summary(names, options.cuda, known), encoding="utf-8")
    except BuildError as error:
        print(f"sbom: {error}", file=sys.stderr)
        return 1
    return 0


def document(image: str, cuda: str, known: dict[str, str]) -> str:
    """The document of one image as JSON; BuildError where a package has no licence, or the schema would not have it."""
    own = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]
    bom = Bom()
    bom.metadata.component = Component(
        type=ComponentType.CONTAINER,
        name=f"trainingrun/{image}",
        version=own["version"],
        bom_ref=image,
        licenses=[LicenseFactory().make_from_string(own["license"])],
    )
    for package in packages(image, cuda):
        bom.components.add(_component(package, known))
    bom.register_dependency(bom.metadata.component, bom.components)
    text = make_outputter(bom, OutputFormat.JSON, VERSION).output_as_string(indent=1)
    complaint = JsonStrictValidator(VERSION).validate_str(text)
    if complaint is not None:
        raise BuildError(f"The document of {image} is not CycloneDX {VERSION.to_version()}: {complaint}")
    return text + "\n"


def _component(package: Package, known: dict[str, str]) -> Component:
    if package.key not in known:
        raise BuildError(f"Nothing is known of the licence of {package.key}: write it into images/licences.txt.")
    place = {PYPI: (None, None), DEBIAN: ("debian", {"distro": "debian-12"})}[package.kind]
    return Component(
        type=ComponentType.LIBRARY,
        name=package.name,
        version=package.version or None,
        bom_ref=package.key,
        purl=PackageURL(package.kind, place[0], package.name, package.version or None, place[1]),
        licenses=[LicenseFactory().make_from_string(known[package.key])],
    )


def summary(images: Sequence[str], cuda: str, known: dict[str, str]) -> str:
    """Which licence comes how often, and with which packages where it is none of the usual ones, as Markdown."""
    found = {one.key: known[one.key] for image in images for one in packages(image, cuda)}
    counted = Counter(found.values())
    lines = ["# Licences in the images\n", "| licence | packages | which |", "| --- | ---: | --- |"]
    for licence, count in sorted(counted.items(), key=lambda one: (-one[1], one[0])):
        which = sorted(key for key, value in found.items() if value == licence) if count <= 20 else ["…"]
        lines.append(f"| {licence} | {count} | {', '.join(which)} |")
    return "\n".join(lines) + "\n"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="sbom.py", description="Write a bill of materials of each image.")
    parser.add_argument("names", nargs="*", metavar="NAME", help="images; without, all that a cluster runs")
    parser.add_argument("--output", type=Path, default=CHECKOUT / "out" / "sbom", help="folder (default: out/sbom)")
    parser.add_argument("--cuda", choices=["full", "import", "none"], default="full", help="as build.py has it")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
