"""Every image by the values: at a registry of one's own, by digest, with pull secrets."""

from pathlib import Path

import pytest

from trainingrun.controller.settings import stage_settings
from unit.helm.rendering import IMAGES, environment, of_kind, pods, render, template

DIGEST = f"sha256:{'a' * 64}"


def operator_image(helm: Path, *values: str) -> str:
    objects = render(helm, *(part for value in values for part in ("--set", value)))
    found = {container["image"] for pod in pods(objects).values() for container in pod["containers"]}
    (image,) = found  # the hooks run the operator's too
    return str(image)


@pytest.mark.parametrize(
    ("reference", "moved"),
    [
        ("registry.example/team/operator:1", "mirror.local:5000/x/team/operator:1"),
        ("registry.example:443/operator:1", "mirror.local:5000/x/operator:1"),
        ("localhost/operator:1", "mirror.local:5000/x/operator:1"),
        ("team/operator:1", "mirror.local:5000/x/team/operator:1"),
        ("operator:1", "mirror.local:5000/x/operator:1"),
        (f"registry.example/operator@{DIGEST}", f"mirror.local:5000/x/operator@{DIGEST}"),
    ],
)
def test_a_registry_takes_the_place_of_the_references_own(helm: Path, reference: str, moved: str) -> None:
    assert operator_image(helm, f"images.operator={reference}", "images.registry=mirror.local:5000/x") == moved


def test_a_registry_moves_the_images_of_all_stages(helm: Path) -> None:
    found = stage_settings(environment(render(helm, "--set", "images.registry=mirror.local"))).images
    assert found == {role: IMAGES[role].replace("registry.example", "mirror.local") for role in found}


def test_custom_engines_reach_the_operator_by_name_at_the_registry(helm: Path) -> None:
    values = "images.custom.megatron=registry.example/megatron:1,images.custom.titan=titan@" + DIGEST
    found = stage_settings(environment(render(helm, "--set", values, "--set", "images.registry=mirror.local")))
    assert found.custom_engines == {"megatron": "mirror.local/megatron:1", "titan": f"mirror.local/titan@{DIGEST}"}
    assert stage_settings(environment(render(helm))).custom_engines == {}


@pytest.mark.parametrize(
    ("value", "place"), [("images.custom.Big=x:1", "Big"), ("images.custom.tiny=not an image", "tiny")]
)
def test_a_custom_engine_with_a_wrong_name_or_image_is_refused(helm: Path, value: str, place: str) -> None:
    done = template(helm, "--set", value)
    assert done.returncode != 0
    assert place in done.stderr


def test_a_digest_of_a_role_says_what_the_reference_leaves_open(helm: Path) -> None:
    values = f"images.operator=r.example/operator:1,images.digests.operator={DIGEST}"
    assert operator_image(helm, values) == f"r.example/operator:1@{DIGEST}"


def test_two_digests_of_one_image_are_refused_in_a_sentence(helm: Path) -> None:
    done = template(helm, "--set", f"images.digests.sft={DIGEST}")
    assert done.returncode != 0
    assert "images.sft has a digest already: leave images.digests.sft empty, or take the one away." in done.stderr


def test_pull_secrets_reach_every_pod(helm: Path) -> None:
    objects = render(helm, "--set", "imagePullSecrets={one,two}")
    wanted = [{"name": "one"}, {"name": "two"}]
    assert {kind: pod["imagePullSecrets"] for kind, pod in pods(objects).items()} == {
        "Deployment": wanted, "Job": wanted, "Pod": wanted,
    }  # fmt: skip
    assert stage_settings(environment(objects)).image_pull_secrets == ("one", "two")
    assert of_kind(objects, "Secret") == []
