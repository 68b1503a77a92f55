"""Licences of data that a release contradicts."""

from typing import Any

import pytest

from builders import SETTINGS, a_manifest, a_training_run
from trainingrun.plan import validity
from trainingrun.stages.context import Context


def notes(source: str | None, released: str) -> list[tuple[str, str]]:
    """Severity and sentence of what is said of licences."""
    data: list[dict[str, Any]] = a_manifest()["spec"]["data"]
    data[0] |= {"license": source} if source else {}
    release = a_manifest()["spec"]["release"] | {"license": released}
    context = Context(a_training_run(data=data, release=release), SETTINGS)
    return [(one.severity, one.message) for one in context.problems if one.path == "spec.data[0].license"]


@pytest.mark.parametrize(
    ("source", "released", "severity", "why"),
    [
        ("cc-by-nc-4.0", "apache-2.0", "error", "asks for non-commercial use"),
        ("cc-by-nc-sa-4.0", "cc-by-sa-4.0", "error", "asks for non-commercial use"),
        ("cc-by-nd-4.0", "mit", "error", "allows no derived works"),
        ("cc-by-sa-4.0", "apache-2.0", "warning", "shared under the same terms"),
        ("CC-BY-SA-3.0", "cc-by-4.0", "warning", "shared under the same terms"),
        ("gpl-3.0", "mit", "warning", "shared under the same terms"),
    ],
)
def test_a_condition_that_the_release_leaves_out_is_told(source: str, released: str, severity: str, why: str) -> None:
    found = notes(source, released)
    assert (severity, True) in [(one, why in text) for one, text in found]
    for _, text in found:
        assert f"The licence {source} of source" in text
        assert f"release.license {released}" in text
        assert text.endswith(".")


@pytest.mark.parametrize(
    ("source", "released"),
    [
        (None, "apache-2.0"), ("odc-by", "apache-2.0"), ("apache-2.0", "mit"), ("cc-by-sa-3.0", "cc-by-sa-4.0"),
        ("cc-by-nc-4.0", "cc-by-nc-sa-4.0"), ("cc-by-nc-4.0", "other"), ("gpl-2.0", "gpl-3.0"), ("my-own", "mit"),
    ],
)  # fmt: skip
def test_nothing_is_said_where_nothing_contradicts_or_is_known(source: str | None, released: str) -> None:
    assert notes(source, released) == []


def test_a_run_that_contradicts_a_sources_licence_does_not_start() -> None:
    data: list[dict[str, Any]] = a_manifest()["spec"]["data"]
    data[0] |= {"license": "cc-by-nc-4.0"}
    release = a_manifest()["spec"]["release"] | {"license": "apache-2.0"}
    context = Context(a_training_run(data=data, release=release), SETTINGS)
    assert any("cc-by-nc-4.0" in one.message for one in validity.errors(context))
