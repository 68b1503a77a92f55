"""Still pictures as one that moves: which of them are shown, for how long, and the file."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from PIL import Image

Taken = TypeVar("Taken")
LARGEST, LONGEST = 1_500_000, 20.0  # bytes and seconds: a README is read on telephones, too


class TooMuchError(RuntimeError):
    """A picture that is larger or longer than a README should have it."""


@dataclass(frozen=True)
class Shown:
    """A picture, and for how many seconds it is shown."""

    picture: Image.Image
    seconds: float


def lapse(taken: Sequence[tuple[float, Taken]], seconds: float, most: int) -> list[tuple[Taken, float]]:
    """What was taken at times, in so many seconds: at most `most` of them, evenly over the time, the first and the last
    among them; each with how long it is shown.
    """
    first, last = taken[0][0], taken[-1][0]
    count = min(most, len(taken))
    chosen = []
    for place in range(count):
        wanted = first + (last - first) * place / max(count - 1, 1)
        newest = max((at, index) for index, (at, _) in enumerate(taken) if at <= wanted + 1e-9)[1]
        chosen.append(len(taken) - 1 if place == count - 1 else newest)
    places = list(dict.fromkeys(chosen))
    return [(taken[place][1], seconds * chosen.count(place) / count) for place in places]


def write(file: Path, shown: Sequence[Shown], **how: Any) -> str:
    """Write an animated WebP that goes on for ever, as Pillow is told how; what to say of it.

    TooMuchError where it would be too long, or is too large: then none is written.
    """
    seconds = sum(one.seconds for one in shown)
    if seconds > LONGEST:
        raise TooMuchError(f"{file.name} takes {seconds:.1f} s: it may take {LONGEST:.0f} s.")
    first, *others = [one.picture for one in shown]
    durations = [round(one.seconds * 1000) for one in shown]
    content = io.BytesIO()
    first.save(content, "WEBP", save_all=True, append_images=others, duration=durations, loop=0, method=6, **how)
    size = content.tell()
    if size > LARGEST:
        raise TooMuchError(f"{file.name} has {size:,} bytes: it may have {LARGEST:,}.")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content.getvalue())
    return f"{file.name}: {len(shown)} pictures, {seconds:.1f} s, {size:,} bytes, {first.width} × {first.height}."
