import re
import tomllib
from pathlib import Path

from building.catalogue import CATALOGUE

from trainingrun.stages.settings import ROLES

COMMAND_LINE = ("rich", "typer")  # what only the trainingrun command needs, which is not in the operator's image

# A registry is told from a path by a dot or a port in its first part, or by being localhost.
REGISTRY = re.compile(r"\b(?:localhost|[\w-]+(?:\.[\w-]+)+|[\w-]+:\d+)/[\w./-]+:[\w.-]+")
URL = re.compile(r"https?://")


def instructions(containerfile: Path, name: str) -> list[str]:
    text = containerfile.read_text().replace("\\\n", " ")
    return [line.partition(" ")[2].strip() for line in text.splitlines() if line.startswith(f"{name} ")]


def pins(path: Path) -> dict[str, str]:
    lines = [line for line in path.read_text().splitlines() if line and not line.startswith("#")]
    return {name.lower().replace("_", "-"): version for name, version in (line.split("==") for line in lines)}


def test_every_image_ends_as_a_user_that_is_not_root(containerfile: Path) -> None:
    assert instructions(containerfile, "USER")[-1] == "65532:65532"


def test_no_containerfile_names_a_registry_or_an_index(containerfile: Path) -> None:
    for line in containerfile.read_text().splitlines():
        code = line.partition("#")[0]
        assert not URL.search(code), line
        assert not REGISTRY.search(code), line


def test_the_base_of_every_image_is_a_build_argument(containerfile: Path) -> None:
    froms = instructions(containerfile, "FROM")
    assert froms == (["scratch"] if containerfile.parent.name == "rootfs" else ["${BASE_IMAGE}"])


def test_the_machines_configuration_reaches_builds_as_secrets_only(containerfile: Path) -> None:
    for run in instructions(containerfile, "RUN"):
        if "pip install" in run or "/run/torch/install.sh" in run:
            assert "--mount=type=secret,id=pip" in run
    assert not any("pip" in copied for copied in instructions(containerfile, "COPY"))


def test_every_requirement_is_pinned(requirements: Path) -> None:
    lines = [line for line in requirements.read_text().splitlines() if line and not line.startswith("#")]
    assert lines
    for line in lines:
        assert re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.+!]+", line), line


def test_the_operators_image_has_the_versions_that_the_project_asks_for(checkout: Path) -> None:
    project = tomllib.loads((checkout / "pyproject.toml").read_text())["project"]
    pinned = pins(checkout / "images" / "operator-base" / "requirements.txt")
    for dependency in project["dependencies"]:
        name, _, version = dependency.partition("==")
        assert pinned.get(name.lower()) == (None if name in COMMAND_LINE else version)


def test_engines_over_torch_do_not_change_the_versions_that_it_brings(checkout: Path) -> None:
    torch = pins(checkout / "images" / "torch" / "requirements.txt")
    for image in (image for image in CATALOGUE.values() if image.base == "torch"):
        assert not torch.keys() & pins(checkout / "images" / image.folder / "requirements.txt").keys()


def test_every_folder_with_a_containerfile_is_an_image(checkout: Path) -> None:
    folders = {path.parent.name for path in (checkout / "images").glob("*/Containerfile")}
    assert folders == {image.folder for image in CATALOGUE.values()}


def test_every_stage_has_an_image() -> None:
    roles = [role for image in CATALOGUE.values() for role in image.roles]
    assert sorted(roles) == sorted([*ROLES, "operator", "quickstart-data"])
