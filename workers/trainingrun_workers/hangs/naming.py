"""How many ranks are named in a few words: a sentence stays short, however large the gang is."""

from collections.abc import Callable, Iterable
from typing import Final

SPANS: Final = 6  # of ranks in one enumeration
PLACES: Final = 3  # nodes in one enumeration


def listed(ranks: Iterable[int]) -> str:
    """`rank 5`, `ranks 0, 1 and 4-9`; at most SPANS of them."""
    spans = _spans(sorted(ranks))
    more = sum(last - first + 1 for first, last in spans[SPANS:])
    words = [f"{first}-{last}" if last > first else str(first) for first, last in spans[:SPANS]]
    single = len(spans) == 1 and spans[0][0] == spans[0][1]
    return f"rank{'' if single else 's'} {enumerated([*words, f'{more} more'] if more else words)}"


def placed(ranks: Iterable[int], node: Callable[[int], str]) -> str:
    """`rank 5 on node gpu-2 and ranks 8-15 on node gpu-3`; `node` says where a rank is, in words."""
    places: dict[str, list[int]] = {}
    for rank in sorted(ranks):
        places.setdefault(node(rank), []).append(rank)
    words = [f"{listed(those)} {place}" for place, those in [*places.items()][:PLACES]]
    rest = [*places.values()][PLACES:]
    if rest:
        count = sum(map(len, rest))
        words.append(
            f"{count} more rank{'s' if count > 1 else ''} on {len(rest)} more node{'s' if len(rest) > 1 else ''}"
        )
    return enumerated(words)


def enumerated(words: Iterable[str]) -> str:
    """`a, b and c`."""
    *others, last = words
    return f"{', '.join(others)} and {last}" if others else last


def capital(sentence: str) -> str:
    """The same, as a sentence begins."""
    return sentence[:1].upper() + sentence[1:]


def _spans(ranks: list[int]) -> list[tuple[int, int]]:
    """First and last of each unbroken row of three or more; a shorter one counts as single ranks."""
    rows: list[tuple[int, int]] = []
    for rank in ranks:
        if rows and rank == rows[-1][1] + 1:
            rows[-1] = (rows[-1][0], rank)
        else:
            rows.append((rank, rank))
    found: list[tuple[int, int]] = []
    for first, last in rows:
        found += [(first, last)] if last - first >= 2 else [(one, one) for one in range(first, last + 1)]
    return found
