"""Every package of every image has a licence that SPDX knows, and every image a valid bill of materials."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from building.catalogue import CATALOGUE
from building.errors import BuildError
from building.licences import CUDA_FILES, IMAGES, licences, packages, unlicensed
from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model.license import DisjunctiveLicense

RUN = [name for name, image in CATALOGUE.items() if image.roles]


@pytest.mark.parametrize("cuda", CUDA_FILES)
def test_every_package_has_a_licence(cuda: str) -> None:
    assert unlicensed(cuda) == []


def test_every_licence_is_of_a_package_that_is_there() -> None:
    there = {one.key for image in CATALOGUE for one in packages(image, "full")}
    assert set(licences()) - there == set(), "a version has changed: look at its licence and name the new one"


def test_every_licence_is_an_spdx_expression_or_a_named_other() -> None:
    for key, expression in licences().items():
        found = LicenseFactory().make_from_string(expression)
        named = isinstance(found, DisjunctiveLicense) and found.name is not None
        assert not named or expression.startswith("LicenseRef-"), f"{key}: {expression}"


def test_an_image_has_what_its_bases_have_and_its_own_versions_over_theirs() -> None:
    found = {one.name: one.version for one in packages("lm-eval", "none")}
    assert {"torch", "lm-eval", "python3.11"} <= set(found)
    assert "nvidia-cublas" not in found
    assert "nvidia-cublas" in {one.name for one in packages("lm-eval", "import")}
    assert {"triton", "gcc"} <= {one.name for one in packages("nanotron", "full")}
    assert len({one.name for one in packages("axolotl", "full")}) == len(packages("axolotl", "full"))


def test_a_line_without_a_licence_is_told(tmp_path: Path) -> None:
    table = tmp_path / "licences.txt"
    table.write_text("one==1 MIT\ntwo==2  # to be looked up\n")
    with pytest.raises(BuildError, match="gives two==2 no licence: write its SPDX expression"):
        licences(table)


def test_each_image_that_runs_gets_a_valid_document(tmp_path: Path) -> None:
    done = sbom("--output", str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert {path.name for path in tmp_path.iterdir()} == {*(f"{name}.cdx.json" for name in RUN), "licences.md"}
    for name in RUN:
        found = json.loads((tmp_path / f"{name}.cdx.json").read_text())
        assert (found["bomFormat"], found["specVersion"]) == ("CycloneDX", "1.6")
        assert len(found["components"]) == len(packages(name, "full"))
        assert all(one["licenses"] and one["purl"].startswith("pkg:") for one in found["components"])
    assert "| LicenseRef-NVIDIA-Proprietary | 14 |" in (tmp_path / "licences.md").read_text()


def test_an_image_that_is_not_there_is_told(tmp_path: Path) -> None:
    done = sbom("--output", str(tmp_path), "nanotorn")
    assert done.returncode == 1
    assert done.stderr.startswith("sbom: There is no image 'nanotorn': choose of rootfs, ")


def sbom(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", str(IMAGES / "sbom.py"), *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
