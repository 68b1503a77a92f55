"""A pseudo-random order of 0 … n-1 that is computed entry by entry, so that n may be a billion.

A balanced Feistel network permutes the smallest even number of bits that holds n; values that fall outside are
walked on until they fall inside (Black and Rogaway, "Ciphers with Arbitrary Finite Domains", 2002, section 3.2).
"""

import hashlib
from typing import Final

_ROUNDS: Final = 4
_MIX: Final = 0x9E3779B97F4A7C15  # 2^64 divided by the golden ratio
_MASK: Final = (1 << 64) - 1


class Permutation:
    """A bijection of range(size), fixed by its key."""

    def __init__(self, size: int, key: str) -> None:
        if size < 1:
            raise ValueError(f"A permutation needs at least one entry, not {size}.")
        self.size = size
        self._half = max((size - 1).bit_length() + 1, 2) // 2
        digest = hashlib.sha256(key.encode()).digest()
        self._keys = tuple(int.from_bytes(digest[8 * i : 8 * i + 8], "little") for i in range(_ROUNDS))

    def __getitem__(self, index: int) -> int:
        """Where an index goes; fewer than four steps on average."""
        if not 0 <= index < self.size:
            raise IndexError(index)
        value = self._once(index)
        while value >= self.size:
            value = self._once(value)
        return value

    def _once(self, value: int) -> int:
        half = self._half
        mask = (1 << half) - 1
        left, right = value >> half, value & mask
        for key in self._keys:
            mixed = ((right ^ key) * _MIX) & _MASK
            mixed = ((mixed ^ (mixed >> 29)) * _MIX) & _MASK
            left, right = right, left ^ ((mixed >> 32) & mask)
        return (left << half) | right
