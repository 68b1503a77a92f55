"""Lengths of time for people."""

UNITS = ((86400, "d", 3600, "h"), (3600, "h", 60, "m"), (60, "m", 1, "s"))


def duration(length: float) -> str:
    """Seconds for people: 45s, 3m20s, 5h10m, 12d3h."""
    whole = round(length)
    for size, unit, smaller, small in UNITS:
        if whole >= size:
            return f"{whole // size}{unit}{whole % size // smaller}{small}"
    return f"{whole}s"
