"""torch on the CPU where nanotron asks for "cuda"."""

from typing import Any, Final

import torch
from torch.overrides import TorchFunctionMode

_NOTHING: Final = ("set_device", "synchronize", "empty_cache", "reset_peak_memory_stats")
_ZERO: Final = ("memory_allocated", "max_memory_allocated", "memory_reserved", "max_memory_reserved", "current_device")


class CpuForCuda(TorchFunctionMode):  # type: ignore[misc]
    """While active, every torch function that is given the device "cuda" gets the CPU instead.

    Some microseconds a call, so it is for building and loading models, not for steps, which name no device.
    """

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Call the function with its devices replaced."""
        kwargs = {name: _on_cpu(value) for name, value in (kwargs or {}).items()}
        return func(*(_on_cpu(value) for value in args), **kwargs)


def install() -> None:
    """Make torch.cuda's calls about memory and synchronisation harmless."""
    for names, value in ((_NOTHING, None), (_ZERO, 0)):
        for name in names:
            setattr(torch.cuda, name, _constant(value))


def _on_cpu(value: Any) -> Any:
    named = value.partition(":")[0] == "cuda" if isinstance(value, str) else False
    if named or (isinstance(value, torch.device) and value.type == "cuda"):
        return torch.device("cpu")
    return value


def _constant(value: Any) -> Any:
    # A function of its own for each name: torch refuses to know one function by two.
    return lambda *_, **__: value
