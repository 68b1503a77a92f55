"""Which nanotron this is: its version tells nothing, since the repository has called itself 0.4 ever since."""

import hashlib
from importlib import metadata
from typing import Any, Final

# The sources in nanotron-0.4-py3-none-any.whl, as `identity` digests them, and the SHA-256 of that file on PyPI.
_SOURCES: Final = "7a5a81f7e9667de88f98d569bce1f0461f2e09161dc7eb3ad2c98d1800077874"
_WHEEL: Final = "0c1834e91c17c651f430d46a1e779bc49991c33bda26cc237beae7d12b383ad9"


def identity() -> dict[str, Any]:
    """Version, digest of the installed sources, the wheel's SHA-256 where the sources are the published ones."""
    package = metadata.distribution("nanotron")
    lines = sorted(
        f"{file} {file.hash.value}"
        for file in package.files or ()
        if file.hash and file.parts[0] == "nanotron" and file.suffix == ".py"
    )
    sources = hashlib.sha256("\n".join(lines).encode()).hexdigest()
    wheel = _WHEEL if sources == _SOURCES else None
    return {"name": "nanotron", "version": package.version, "sources": sources, "wheel": wheel}
