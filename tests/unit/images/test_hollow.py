import ctypes
import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture
def hollow(checkout: Path) -> ModuleType:
    """images/torch/hollow.py, which lies where only a build looks for it."""
    spec = importlib.util.spec_from_file_location("hollow", checkout / "images" / "torch" / "hollow.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["hollow"] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def library(tmp_path: Path) -> Path:
    """A real library with versioned symbols: the C++ runtime that Python's wheels use, or zlib."""
    names = ("libstdc++.so.6", "libz.so.1")
    folders = (Path("/usr/lib/x86_64-linux-gnu"), Path("/lib/x86_64-linux-gnu"))
    found = [folder / name for folder in folders for name in names if (folder / name).exists()]
    if not found:
        pytest.skip("no library with versioned symbols is where Debian puts it")
    return Path(shutil.copy(found[0].resolve(), tmp_path / "whole.so"))


def test_a_hollow_library_loads_and_has_every_symbol_with_its_version(hollow: ModuleType, library: Path) -> None:
    symbols = hollow.read(library.read_bytes())
    hollow.main(library.parent, 1)
    loaded = ctypes.CDLL(str(library))
    names = {symbols.strings[one : symbols.strings.index(b"\0", one)].decode() for one in symbols.names}
    for name in sorted(names)[:500]:
        assert ctypes.cast(getattr(loaded, name), ctypes.c_void_p).value
    assert symbols.versions


def test_a_hollow_library_is_small(hollow: ModuleType, library: Path) -> None:
    before = library.stat().st_size
    hollow.main(library.parent, 1)
    assert library.stat().st_size < before


def test_a_call_into_a_hollow_library_ends_the_process_at_once(hollow: ModuleType, library: Path) -> None:
    symbols = hollow.read(library.read_bytes())
    name = symbols.strings[symbols.names[0] : symbols.strings.index(b"\0", symbols.names[0])].decode()
    hollow.main(library.parent, 1)
    code = f"import ctypes; getattr(ctypes.CDLL({str(library)!r}), {name!r})()"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -4  # SIGILL


def test_smaller_libraries_stay_whole(hollow: ModuleType, library: Path) -> None:
    before = library.read_bytes()
    hollow.main(library.parent, len(before) + 1)
    assert library.read_bytes() == before


def test_what_is_no_library_is_refused(hollow: ModuleType) -> None:
    with pytest.raises(ValueError, match="no 64-bit little-endian ELF"):
        hollow.read(b"#!/bin/sh\n")
