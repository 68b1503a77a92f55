"""Where the licence of a released model contradicts that of a source: what the identifiers themselves ask for, no more.

Whether a model is a work derived from its texts is for courts. So nothing is said of a licence that is not known here,
nor where release.license is "other"; and what is said repeats the three conditions that the licences' names stand for.
"""

from collections.abc import Iterator
from typing import Final

from trainingrun.api.notes import Note, error, warning
from trainingrun.api.training_run import TrainingRunSpec

NONCOMMERCIAL: Final = "asks for non-commercial use"
SHARE_ALIKE: Final = "asks that what is made of it is shared under the same terms"
NO_DERIVATIVES: Final = "allows no derived works"

# Identifiers by what they ask for. Source: the identifiers of https://huggingface.co/docs/hub/repositories-licenses.
_CREATIVE_COMMONS: Final = ("2.0", "2.5", "3.0", "4.0")
CONDITIONS: Final[dict[str, tuple[str, ...]]] = {
    **{f"cc-by-sa-{one}": (SHARE_ALIKE,) for one in _CREATIVE_COMMONS},
    **{f"cc-by-nc-{one}": (NONCOMMERCIAL,) for one in _CREATIVE_COMMONS},
    **{f"cc-by-nc-sa-{one}": (NONCOMMERCIAL, SHARE_ALIKE) for one in _CREATIVE_COMMONS},
    **{f"cc-by-nd-{one}": (NO_DERIVATIVES,) for one in _CREATIVE_COMMONS},
    **{f"cc-by-nc-nd-{one}": (NONCOMMERCIAL, NO_DERIVATIVES) for one in _CREATIVE_COMMONS},
    **{one: (SHARE_ALIKE,) for one in ("gpl-2.0", "gpl-3.0", "agpl-3.0", "odbl")},
}
# What is said of each condition that the release's own licence does not make: share-alike is disputed for models.
_SAID: Final = {NONCOMMERCIAL: error, NO_DERIVATIVES: error, SHARE_ALIKE: warning}
_MENDS: Final = {
    NONCOMMERCIAL: "release under a non-commercial licence, leave the source out, or set release.license to other",
    NO_DERIVATIVES: "leave the source out, or set release.license to other",
    SHARE_ALIKE: "release under the same licence, or make sure that it does not bind the model",
}
UNSAID: Final = "other"


def licence_notes(spec: TrainingRunSpec) -> Iterator[Note]:
    """An error or a warning for each condition of a source's licence that the release's licence leaves out."""
    released = spec.release.license.lower()
    if released == UNSAID:
        return
    for index, source in enumerate(spec.data):
        own = (source.license or "").lower()
        for condition in CONDITIONS.get(own, ()):
            if not _kept(condition, own, released):
                yield _SAID[condition](
                    f"spec.data[{index}].license",
                    f"The licence {source.license} of source {source.name} {condition}, which release.license "
                    f"{spec.release.license} does not: {_MENDS[condition]}.",
                )


def _kept(condition: str, own: str, released: str) -> bool:
    if condition == SHARE_ALIKE:
        return _family(own) == _family(released)
    return condition in CONDITIONS.get(released, ())


def _family(identifier: str) -> str:
    """The licence without its version."""
    return identifier.rstrip("0123456789.")
