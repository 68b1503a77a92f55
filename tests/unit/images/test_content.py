import shutil
from pathlib import Path

import pytest
from building.catalogue import CATALOGUE, built_upon, with_bases
from building.content import Plan, sources
from building.errors import BuildError

ARGUMENTS = {"CUDA": "import", "VERSION": "1.0"}


@pytest.fixture
def plan(checkout: Path, tmp_path: Path) -> Plan:
    """A plan over a copy of all that images are made of."""
    for folder in ("images", "workers", "operator", "examples"):
        shutil.copytree(checkout / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    return Plan(tmp_path, "localhost/test", ARGUMENTS)


def references(plan: Plan) -> dict[str, str]:
    return {name: plan.reference(name) for name in CATALOGUE}


def changed(before: dict[str, str], after: dict[str, str]) -> set[str]:
    return {name for name in before if before[name] != after[name]}


def append(path: Path, text: str = "\n# changed\n") -> None:
    with path.open("a") as file:
        file.write(text)


def test_the_same_files_give_the_same_tags(plan: Plan) -> None:
    assert references(plan) == references(plan)
    assert len(set(references(plan).values())) == len(CATALOGUE)


def test_a_change_of_the_workers_changes_the_workers_images_and_nothing_below_them(plan: Plan) -> None:
    before = references(plan)
    append(plan.checkout / "workers" / "trainingrun_workers" / "__main__.py")
    assert changed(before, references(plan)) == {"datatrove", "nanotron", "axolotl", "lm-eval"}


def test_a_change_of_the_contract_changes_the_operators_image_too(plan: Plan) -> None:
    before = references(plan)
    append(plan.checkout / "workers" / "trainingrun_workers" / "contract" / "specs.py")
    assert changed(before, references(plan)) == {"datatrove", "nanotron", "axolotl", "lm-eval", "operator"}


def test_a_change_of_torchs_requirements_changes_torch_and_all_that_is_built_on_it(plan: Plan) -> None:
    before = references(plan)
    append(plan.checkout / "images" / "torch" / "requirements.txt")
    over_torch = {name for name in CATALOGUE if "torch" in with_bases([name])}
    assert changed(before, references(plan)) == over_torch
    assert "datatrove" not in over_torch


def test_a_change_of_the_root_changes_everything(plan: Plan) -> None:
    before = references(plan)
    append(plan.checkout / "images" / "rootfs" / "packages.txt", "jq\n")
    assert changed(before, references(plan)) == set(CATALOGUE)


def test_a_new_file_of_the_context_changes_the_tag(plan: Plan) -> None:
    before = references(plan)
    (plan.checkout / "examples" / "quickstart" / "data" / "new.txt").write_text("new")
    assert changed(before, references(plan)) == {"quickstart-data"}


def test_files_that_no_image_has_change_nothing(plan: Plan) -> None:
    before = references(plan)
    (plan.checkout / "README.md").write_text("new")
    compiled = plan.checkout / "workers" / "trainingrun_workers" / "__pycache__"
    compiled.mkdir()
    (compiled / "contract.cpython-311.pyc").write_bytes(b"compiled")
    append(plan.checkout / "images" / "build.py")
    assert not changed(before, references(plan))


def test_a_build_argument_changes_what_takes_it_and_what_is_built_on_that(plan: Plan) -> None:
    full = Plan(plan.checkout, plan.repository, {**ARGUMENTS, "CUDA": "full"})
    assert changed(references(plan), references(full)) == {name for name in CATALOGUE if "torch" in with_bases([name])}


def test_an_image_to_pull_takes_the_place_of_the_made_root(plan: Plan) -> None:
    pulled = Plan(plan.checkout, plan.repository, ARGUMENTS, base_image="debian:bookworm-slim")
    assert pulled.build_arguments("base") == {"BASE_IMAGE": "debian:bookworm-slim"}
    assert pulled.reference("base") != plan.reference("base")


def test_a_source_that_is_gone_is_said(plan: Plan) -> None:
    (plan.checkout / "images" / "operator-base" / "requirements.txt").unlink()
    with pytest.raises(BuildError, match=r"operator-base/requirements\.txt, which does not exist"):
        plan.reference("operator-base")


def test_sources_are_what_is_copied_and_what_is_mounted() -> None:
    text = (
        "FROM a\n"
        "COPY one two/three /to/\n"
        "COPY --chown=1:1 four /to\n"
        "RUN --mount=type=secret,id=pip --mount=type=bind,source=five,target=/run/five \\\n    install COPY six\n"
        "ENTRYPOINT [x]\n"
    )
    assert sorted(sources(text)) == ["five", "four", "one", "two/three"]


def test_bases_come_before_what_is_built_on_them() -> None:
    assert with_bases(["nanotron"]) == ["rootfs", "base", "torch", "nanotron-engine", "nanotron"]
    assert with_bases([]) == list(CATALOGUE)
    for name, image in CATALOGUE.items():
        assert image.base is None or list(CATALOGUE).index(image.base) < list(CATALOGUE).index(name)


def test_nothing_is_built_upon_an_image_that_is_run() -> None:
    assert not built_upon() & {name for name, image in CATALOGUE.items() if image.roles}
