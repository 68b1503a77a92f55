"""An installed operator and a namespace with the quickstart's data, once for all cluster tests."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from e2e import volume
from e2e.installation import apply, install, kubectl, namespace
from e2e.trial import CLAIM, NAMESPACE, Trial, small_manifest


@pytest.fixture(scope="session")
def images() -> dict[str, str]:
    """The operator installed by Helm on a cluster; each role's image."""
    return install()


@pytest.fixture(scope="session")
def data(images: dict[str, str]) -> Iterator[volume.Visit]:
    """A fresh namespace whose claim `data` holds the quickstart's data."""
    kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found", "--timeout=120s", timeout=150)
    apply(namespace(NAMESPACE))
    apply(volume.claim(CLAIM, NAMESPACE))
    volume.fill(NAMESPACE, CLAIM, images["quickstart-data"])
    visit = volume.Visit(NAMESPACE, CLAIM, images["quickstart-data"])
    yield visit
    kubectl("delete", "namespace", NAMESPACE, "--timeout=120s", timeout=150)


@pytest.fixture
def trial(data: volume.Visit) -> Iterator[Callable[..., Trial]]:
    """Make small runs; each is deleted after the test."""
    made: list[Trial] = []

    def make(name: str, **options: Any) -> Trial:
        made.append(Trial(small_manifest(name, **options)))
        return made[-1]

    yield make
    for one in made:
        one.delete()
