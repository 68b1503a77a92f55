"""What a card's own counts of errors mean: pure.

After NVIDIA's "GPU Memory Error Management": an error that could not be corrected leaves a row to be remapped, which
happens at the card's next reset; where there was no spare row, the card is to be replaced. What was counted in the
card's whole life and mended since is told and not held against it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

KEY: Final = "health"  # in a rank's figures; absent where nothing could be looked at


@dataclass(frozen=True)
class Health:
    """What a card says of itself; None for what it does not say."""

    uncorrected: int | None = None  # ECC errors that were not corrected since the driver was loaded
    uncorrected_ever: int | None = None  # in the card's life
    remap_pending: bool | None = None
    remap_failed: bool | None = None
    lost: str | None = None  # what NVML says of a card that it no longer reaches, or that has to be reset

    @property
    def says_nothing(self) -> bool:
        """Whether none of it is known."""
        return all(one is None for one in asdict(self).values())


def faults(found: Health) -> tuple[str, ...]:
    """What is wrong with a card, each as the end of a sentence that begins with the card."""
    return tuple(
        words
        for wrong, words in (
            (found.lost is not None, f"can't be used ({found.lost}): reset the card or restart the node"),
            (found.remap_failed, "had no spare row for one that failed: replace the card"),
            (found.remap_pending, "has rows to be remapped: reset the card"),
            (
                bool(found.uncorrected),
                f"has counted {found.uncorrected} ECC errors that could not be corrected: reset the card",
            ),
        )
        if wrong
    )


def verdicts(figures: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """A sentence for each node with a bad card, by its name, about the first such card; `figures` are of all ranks."""
    found: dict[str, str] = {}
    for one in figures:
        wrong = faults(_health(one)) if KEY in one else ()
        if wrong and one["node"] not in found:
            card = one.get("card", "GPU")
            found[one["node"]] = f"Node {one['node']} has a bad card: {card} of rank {one['rank']} {wrong[0]}."
    return found


def summary(figures: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """What was seen of all cards' errors, in a few words; nothing without GPUs."""
    cards = [one for one in figures if "card" in one]
    looked = [_health(one) for one in cards if KEY in one]
    if not cards:
        return
    if not looked:
        yield "the cards' errors were not looked at"
        return
    ever = sum(one.uncorrected_ever or 0 for one in looked)
    missing = len(cards) - len(looked)
    yield f"uncorrected errors in the cards' lives {ever}" + (f" (not looked at on {missing} ranks)" if missing else "")


def _health(figures: Mapping[str, Any]) -> Health:
    return Health(**figures[KEY])
