"""A card's own counts of errors, by the driver's library (NVML), which no image has to bring along.

Functions and numbers are those of nvml.h of CUDA 12. Not run on a GPU so far.
"""

import ctypes
from typing import Any, Final

from trainingrun_workers.pretrain.preflight.health import Health

LIBRARY: Final = "libnvidia-ml.so.1"  # put into the container by NVIDIA's runtime, for those that may "utility"
UNCORRECTED: Final = 1  # nvmlMemoryErrorType_t
VOLATILE, AGGREGATE = 0, 1  # nvmlEccCounterType_t
# nvmlReturn_t, of which these say that the card is bad; all others, that it does not tell.
LOST: Final = {15: "it has fallen off the bus", 16: "it has to be reset"}


class _Refused(Exception):  # noqa: N818 - an answer, not an error of ours
    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


def health(identifier: str, library: str = LIBRARY) -> Health | None:
    """What the card with this UUID ("GPU-…") says of itself; None where the library is missing or says nothing."""
    try:
        nvml = ctypes.CDLL(library)
        _call(nvml, "nvmlInit_v2")
    except (OSError, AttributeError, _Refused):
        return None
    try:
        found = _ask(nvml, identifier)
    finally:
        nvml.nvmlShutdown()
    return None if found.says_nothing else found


def _ask(nvml: Any, identifier: str) -> Health:
    card = ctypes.c_void_p()
    try:
        _call(nvml, "nvmlDeviceGetHandleByUUID", identifier.encode(), ctypes.byref(card))
        _, _, pending, failed = _remapped(nvml, card) or (None, None, None, None)
        return Health(
            uncorrected=_errors(nvml, card, VOLATILE),
            uncorrected_ever=_errors(nvml, card, AGGREGATE),
            remap_pending=None if pending is None else bool(pending),
            remap_failed=None if failed is None else bool(failed),
        )
    except _Refused as answer:
        return Health(lost=LOST.get(answer.code))


def _errors(nvml: Any, card: ctypes.c_void_p, counter: int) -> int | None:
    count = ctypes.c_ulonglong()
    told = _told(nvml, "nvmlDeviceGetTotalEccErrors", card, UNCORRECTED, counter, ctypes.byref(count))
    return int(count.value) if told else None


def _remapped(nvml: Any, card: ctypes.c_void_p) -> tuple[int, ...] | None:
    """Rows remapped after corrected and after uncorrected errors, whether some are pending, whether one failed."""
    values = [ctypes.c_uint() for _ in range(4)]
    told = _told(nvml, "nvmlDeviceGetRemappedRows", card, *map(ctypes.byref, values))
    return tuple(int(one.value) for one in values) if told else None


def _told(nvml: Any, name: str, *arguments: Any) -> bool:
    """Whether a function has answered; _Refused where it says that the card is bad."""
    try:
        _call(nvml, name, *arguments)
    except _Refused as answer:
        if answer.code in LOST:
            raise
        return False
    except AttributeError:  # an old driver's library
        return False
    return True


def _call(nvml: Any, name: str, *arguments: Any) -> None:
    code = getattr(nvml, name)(*arguments)
    if code:
        raise _Refused(code)
