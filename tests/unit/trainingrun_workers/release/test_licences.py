"""The licences of released models."""

import pytest

from trainingrun_workers.errors import BadConfig
from trainingrun_workers.release.licences import LICENCES, find_licence, licence_text


@pytest.mark.parametrize("identifier", LICENCES)
def test_every_licence_has_a_text_without_gaps(identifier: str) -> None:
    text = licence_text(find_licence(identifier), "quickstart")
    assert text.strip()
    assert not any(gap in text for gap in ("{name}", "{title}", "{spdx}", "{url}"))


def test_apache_and_mit_are_there_in_full() -> None:
    assert "END OF TERMS AND CONDITIONS" in licence_text(find_licence("apache-2.0"), "quickstart")
    text = licence_text(find_licence("mit"), "quickstart")
    assert "Copyright (c) the authors of quickstart" in text
    assert 'THE SOFTWARE IS PROVIDED "AS IS"' in text


def test_another_licence_is_named_by_spdx_and_by_its_address() -> None:
    text = licence_text(find_licence("cc-by-sa-3.0"), "quickstart")
    assert "SPDX-License-Identifier: CC-BY-SA-3.0" in text
    assert "https://creativecommons.org/licenses/by-sa/3.0/legalcode" in text


@pytest.mark.parametrize(("written", "meant"), [("Apache-2.0", "apache-2.0"), ("cc-by-sa-3", "cc-by-sa-3.0")])
def test_an_unknown_licence_is_refused_with_the_nearest(written: str, meant: str) -> None:
    with pytest.raises(BadConfig, match=meant) as caught:
        find_licence(written)
    assert caught.value.reason == "LicenceUnknown"
