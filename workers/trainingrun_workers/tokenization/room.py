"""Whether there is room for the tokens."""

from trainingrun_workers.errors import BadConfig


def check_room(whole: int, left: int, claim_bytes: int | None, free_bytes: int) -> None:
    """BadConfig where `whole` bytes don't fit the claim, or the `left` of them don't fit what is free on the volume."""
    mend = "use a larger claim, fewer documents (limit) or fewer sources"
    if claim_bytes is not None and whole > claim_bytes:
        raise BadConfig(
            "ClaimTooSmall",
            f"The tokens will take about {in_words(whole)}, but the whole claim has {in_words(claim_bytes)}: {mend}.",
        )
    if left > free_bytes:
        raise BadConfig(
            "ClaimTooSmall",
            f"The tokens still to be made will take about {in_words(left)}, but only {in_words(free_bytes)} are free "
            f"on the volume: make room, or {mend}.",
        )


def in_words(size: float) -> str:
    """A number of bytes with a unit that fits it: 1.5 GB."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:,.4g} TB"
