"""The licences that a model can be released under, by the identifiers of the Hugging Face hub."""

import difflib
from dataclasses import dataclass
from importlib import resources
from typing import Final

from trainingrun_workers.errors import BadConfig

CREATIVE_COMMONS: Final = "https://creativecommons.org/licenses"
GNU: Final = "https://www.gnu.org/licenses"


@dataclass(frozen=True)
class Licence:
    """A licence; `text` names a file of this package, into which the licence's own fields are put."""

    title: str
    spdx: str
    url: str
    text: str = "reference.txt"


LICENCES: Final[dict[str, Licence]] = {
    "apache-2.0": Licence(
        "Apache License 2.0", "Apache-2.0", "https://www.apache.org/licenses/LICENSE-2.0", "apache-2.0.txt"
    ),
    "mit": Licence("MIT License", "MIT", "https://opensource.org/license/mit", "mit.txt"),
    "bsd-3-clause": Licence("BSD 3-Clause License", "BSD-3-Clause", "https://opensource.org/license/bsd-3-clause"),
    "cc0-1.0": Licence("CC0 1.0", "CC0-1.0", "https://creativecommons.org/publicdomain/zero/1.0/legalcode"),
    "cc-by-3.0": Licence("CC BY 3.0", "CC-BY-3.0", f"{CREATIVE_COMMONS}/by/3.0/legalcode"),
    "cc-by-4.0": Licence("CC BY 4.0", "CC-BY-4.0", f"{CREATIVE_COMMONS}/by/4.0/legalcode"),
    "cc-by-sa-3.0": Licence("CC BY-SA 3.0", "CC-BY-SA-3.0", f"{CREATIVE_COMMONS}/by-sa/3.0/legalcode"),
    "cc-by-sa-4.0": Licence("CC BY-SA 4.0", "CC-BY-SA-4.0", f"{CREATIVE_COMMONS}/by-sa/4.0/legalcode"),
    "cc-by-nc-4.0": Licence("CC BY-NC 4.0", "CC-BY-NC-4.0", f"{CREATIVE_COMMONS}/by-nc/4.0/legalcode"),
    "cc-by-nc-sa-4.0": Licence("CC BY-NC-SA 4.0", "CC-BY-NC-SA-4.0", f"{CREATIVE_COMMONS}/by-nc-sa/4.0/legalcode"),
    "gpl-2.0": Licence("GNU GPL 2.0", "GPL-2.0-only", f"{GNU}/old-licenses/gpl-2.0.txt"),
    "gpl-3.0": Licence("GNU GPL 3.0", "GPL-3.0-only", f"{GNU}/gpl-3.0.txt"),
    "agpl-3.0": Licence("GNU AGPL 3.0", "AGPL-3.0-only", f"{GNU}/agpl-3.0.txt"),
    "lgpl-3.0": Licence("GNU LGPL 3.0", "LGPL-3.0-only", f"{GNU}/lgpl-3.0.txt"),
    "mpl-2.0": Licence("Mozilla Public License 2.0", "MPL-2.0", "https://www.mozilla.org/en-US/MPL/2.0/"),
    "openrail": Licence("OpenRAIL", "LicenseRef-OpenRAIL", "https://www.licenses.ai"),
    "odc-by": Licence("ODC-By 1.0", "ODC-By-1.0", "https://opendatacommons.org/licenses/by/1-0/"),
    "other": Licence("no public licence", "LicenseRef-other", "", "other.txt"),
}


def find_licence(identifier: str) -> Licence:
    """The licence; BadConfig with the nearest identifiers where there is none of that name."""
    licence = LICENCES.get(identifier)
    if licence is None:
        near = difflib.get_close_matches(identifier, LICENCES, n=3, cutoff=0.3) or sorted(LICENCES)
        raise BadConfig(
            "LicenceUnknown",
            f"The licence {identifier!r} is not known: set release.license to {', '.join(near)}, or other.",
        )
    return licence


def licence_text(licence: Licence, name: str) -> str:
    """The content of LICENSE for the model of that name: the full text, or where to find it."""
    text = (resources.files(__package__) / "licences" / licence.text).read_text()
    fields = {"name": name, "title": licence.title, "spdx": licence.spdx, "url": licence.url}
    for key, value in fields.items():  # not str.format: full texts have braces of their own
        text = text.replace(f"{{{key}}}", value)
    return text
