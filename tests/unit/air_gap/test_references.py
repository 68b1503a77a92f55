"""What an image is called inside is what the chart asks for there."""

import sys
from pathlib import Path

import pytest

from builders import REPOSITORY
from unit.helm.conftest import helm
from unit.helm.rendering import pods, render

__all__ = ["helm"]  # a fixture


@pytest.mark.parametrize("reference", ["a.example/team/op:1", "localhost/op:1", "team/op:1", "op:1", "a:443/op:1"])
def test_the_chart_asks_for_what_was_copied(helm: Path, reference: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [str(REPOSITORY / "scripts" / "air_gap"), *sys.path])
    import copying

    objects = render(helm, "--set", f"images.operator={reference},images.registry=mirror.local:5000/x")
    (container,) = pods(objects)["Deployment"]["containers"]
    assert container["image"] == copying.inside(reference, "mirror.local:5000/x")
    assert container["image"] == copying.target(reference, "mirror.local:5000/x")
