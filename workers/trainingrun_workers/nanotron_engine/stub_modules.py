"""Modules made in memory, in place of ones that can't be imported."""

import sys
from collections.abc import Callable
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any


def stub(name: str, **attributes: Any) -> ModuleType:
    """Put a module of that name in place; whatever else is imported from it fails when it is called."""
    module = ModuleType(name)
    module.__spec__ = ModuleSpec(name, None, is_package=True)
    module.__path__ = []
    module.__dict__.update(attributes)
    module.__dict__["__getattr__"] = lambda attribute: _missing(name, attribute)
    sys.modules[name] = module
    parent, _, leaf = name.rpartition(".")
    if parent:
        setattr(sys.modules[parent], leaf, module)
    return module


def _missing(module: str, attribute: str) -> Callable[..., Any]:
    if attribute.startswith("__"):
        raise AttributeError(attribute)

    def call(*_: Any, **__: Any) -> Any:
        raise NotImplementedError(f"{module}.{attribute} has no stand-in: install the package {module.split('.')[0]}.")

    return call
