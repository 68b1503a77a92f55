"""Images go from one registry into another, for real, and are there what they were."""

import io
import os
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from local_cluster.programs import built

from builders import REPOSITORY
from control_plane.api import until
from control_plane.operator_process import free_port

ROLES = ("operator", "tokenize", "pretrain", "convert", "evaluate", "sft", "release")


def crane(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(built("crane") / "crane"), *arguments], capture_output=True, text=True, check=False)


@pytest.fixture
def registries() -> Iterator[tuple[str, str]]:
    """One outside and one inside."""
    addresses = [f"127.0.0.1:{free_port()}" for _ in range(2)]
    command = [str(built("crane") / "crane"), "registry", "serve", "--address"]
    served = [subprocess.Popen([*command, one], stderr=subprocess.DEVNULL) for one in addresses]
    try:
        for one in addresses:
            until(lambda one=one: crane("catalog", one).returncode == 0)
        yield addresses[0], addresses[1]
    finally:
        for process in served:
            process.kill()
            process.wait()


def an_image(folder: Path, reference: str) -> str:
    """An image with one file; its digest."""
    layer = folder / "layer.tar"
    with tarfile.open(layer, "w") as tar:
        content = reference.encode()
        entry = tarfile.TarInfo("name")
        entry.size = len(content)
        tar.addfile(entry, io.BytesIO(content))
    made = crane("append", "--oci-empty-base", "--new_layer", str(layer), "--new_tag", reference)
    assert made.returncode == 0, made.stderr
    return crane("digest", reference).stdout.strip()


def air_gap(folder: Path, images: dict[str, str], registry: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    values = folder / "values.yaml"
    values.write_text(yaml.safe_dump({"images": images}))
    path = os.pathsep.join([str(built("crane")), str(built("helm")), os.environ["PATH"]])
    script = [sys.executable, str(REPOSITORY / "scripts" / "air_gap"), "--values", str(values)]
    command = [*script, "--registry", registry, "--folder", str(folder / "out"), *arguments]
    environment = {**os.environ, "PATH": path, "PYTHONPATH": f"{REPOSITORY / 'operator'}:{REPOSITORY / 'workers'}"}
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)


def test_images_arrive_by_tag_and_by_digest_directly_and_by_way_of_a_folder(
    registries: tuple[str, str], tmp_path: Path
) -> None:
    outside, inside = registries
    images = {role: f"{outside}/team/{role}:1" for role in ROLES}
    digests = {role: an_image(tmp_path, reference) for role, reference in images.items()}
    images["sft"] = f"{outside}/team/sft@{digests['sft']}"
    done = air_gap(tmp_path, images, f"{inside}/copied")
    assert done.returncode == 0, done.stderr
    assert "Every image has the same digest in both registries." in done.stdout
    assert list((tmp_path / "out").glob("trainingrun-*.tgz"))
    for way in ("save", "load"):
        done = air_gap(tmp_path, images, f"{inside}/loaded", "--way", way)
        assert done.returncode == 0, done.stderr
    for place in ("copied", "loaded"):
        for role, digest in digests.items():
            by_digest = f"{inside}/{place}/team/{role}@{digest}"  # as the chart asks for it with images.digests
            assert crane("manifest", by_digest).returncode == 0, by_digest
        assert crane("digest", f"{inside}/{place}/team/operator:1").stdout.strip() == digests["operator"]


def test_an_image_that_is_not_there_ends_it_in_a_sentence(registries: tuple[str, str], tmp_path: Path) -> None:
    outside, inside = registries
    done = air_gap(tmp_path, dict.fromkeys(ROLES, f"{outside}/nothing:1"), inside)
    assert done.returncode == 1
    assert f"air_gap: `crane copy {outside}/nothing:1 {inside}/nothing:1` failed" in done.stderr
