"""Replaces shared libraries that only a GPU calls by their tables of symbols: `hollow.py FOLDER LEAST_BYTES`.

torch's CUDA build is linked to 2 GB of libraries that must be there for it to load and that a machine without a GPU
never calls. Of each one in FOLDER that has at least LEAST_BYTES, the name and the symbols with their versions stay;
behind every symbol is an instruction that ends the process (SIGILL). Never for an image that is to see a GPU.

Format: System V ABI, chapters 4 and 5; symbol versions after the Linux Standard Base, chapter 10.7. x86-64 only.
"""

import struct
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_PAGE = 4096
_TRAP = b"\x0f\x0b"  # ud2
_DYNSYM, _VERSYM, _VERDEF, _DYNAMIC = 11, 0x6FFFFFFF, 0x6FFFFFFD, 6  # sh_type
_NEEDED_TAGS = {"HASH": 4, "STRTAB": 5, "SYMTAB": 6, "STRSZ": 10, "SYMENT": 11, "SONAME": 14}
_VERSION_TAGS = {"VERSYM": 0x6FFFFFF0, "VERDEF": 0x6FFFFFFC, "VERDEFNUM": 0x6FFFFFFD}
_SYMBOL = struct.Struct("<IBBHQQ")  # name, info, other, section, value, size
_FUNCTION = 2


@dataclass(frozen=True)
class Symbols:
    """What a library is known by: its strings, the symbols it defines, their versions, and its own name's offset."""

    strings: bytes
    names: tuple[int, ...]  # offsets in `strings`
    infos: tuple[int, ...]
    versions: tuple[int, ...]  # indices into `definitions`; empty where the library has no versions
    definitions: bytes
    definition_count: int
    soname: int


def read(library: bytes) -> Symbols:
    """The symbols of a 64-bit little-endian shared library that has section headers; ValueError for anything else."""
    if library[:6] != b"\x7fELF\x02\x01":
        raise ValueError("This is no 64-bit little-endian ELF file.")
    sections = {header[1]: header for header in _sections(library)}
    if _DYNSYM not in sections or _DYNAMIC not in sections:
        raise ValueError("This library has no section headers.")
    every = list(_SYMBOL.iter_unpack(_content(library, sections[_DYNSYM])))
    strings = _content(library, list(_sections(library))[sections[_DYNSYM][6]])
    defined = [index for index, symbol in enumerate(every) if index and symbol[3]]
    versions = [one for (one,) in struct.iter_unpack("<H", _content(library, sections.get(_VERSYM)))]
    dynamic = dict(struct.iter_unpack("<QQ", _content(library, sections[_DYNAMIC])))
    definitions = _content(library, sections.get(_VERDEF))
    return Symbols(
        strings,
        tuple(every[index][0] for index in defined),
        tuple((every[index][1] & 0xF0) | _FUNCTION for index in defined),
        tuple(versions[index] for index in defined) if definitions else (),
        definitions,
        sections[_VERDEF][7] if definitions else 0,
        dynamic[_NEEDED_TAGS["SONAME"]],
    )


def _sections(library: bytes) -> Iterator[tuple[int, ...]]:
    # name, type, flags, address, offset, size, link, info, alignment, entry size
    (start,) = struct.unpack_from("<Q", library, 0x28)
    size, count = struct.unpack_from("<HH", library, 0x3A)
    for index in range(count):
        yield struct.unpack_from("<IIQQQQIIQQ", library, start + index * size)


def _content(library: bytes, section: tuple[int, ...] | None) -> bytes:
    return library[section[4] : section[4] + section[5]] if section else b""


def write(symbols: Symbols) -> bytes:
    """A library with these symbols and no code but the trap."""
    count = len(symbols.names) + 1
    headers = 64 + 4 * 56
    parts: dict[str, bytes] = {
        "STRTAB": symbols.strings,
        "VERDEF": symbols.definitions,
        "VERSYM": struct.pack(f"<{count}H", 0, *symbols.versions) if symbols.versions else b"",
        "HASH": _hash_table(symbols),
        "SYMTAB": b"\0" * _SYMBOL.size * count,
        "TRAP": _TRAP,
    }
    offsets, here = {}, headers
    for name, content in parts.items():
        offsets[name] = here
        here = _aligned(here + len(content), 16)
    rows = zip(symbols.names, symbols.infos, strict=True)
    # Section 1 stands for "defined"; there are no section headers, as nothing but linkers reads them.
    table = b"".join(_SYMBOL.pack(name, info, 0, 1, offsets["TRAP"], 2) for name, info in rows)
    parts["SYMTAB"] = b"\0" * _SYMBOL.size + table
    start = _aligned(here, _PAGE)
    dynamic = _dynamic(symbols, offsets)
    image = bytearray(start + len(dynamic))
    image[:headers] = _headers(here, start, len(dynamic))
    for name, content in parts.items():
        image[offsets[name] : offsets[name] + len(content)] = content
    image[start:] = dynamic
    return bytes(image)


def _aligned(value: int, to: int) -> int:
    return -(-value // to) * to


def _hash_table(symbols: Symbols) -> bytes:
    count = len(symbols.names) + 1
    buckets, chains = [0] * max(1, count // 2), [0] * count
    for index, offset in enumerate(symbols.names, start=1):
        name = symbols.strings[offset : symbols.strings.index(b"\0", offset)]
        bucket = _hash(name) % len(buckets)
        chains[index], buckets[bucket] = buckets[bucket], index
    return struct.pack(f"<{2 + len(buckets) + count}I", len(buckets), count, *buckets, *chains)


def _hash(name: bytes) -> int:
    value = 0
    for byte in name:
        value = (value << 4) + byte
        high = value & 0xF0000000
        value = (value ^ (high >> 24)) & ~high & 0xFFFFFFFF
    return value


def _dynamic(symbols: Symbols, offsets: dict[str, int]) -> bytes:
    values = {**offsets, "STRSZ": len(symbols.strings), "SYMENT": _SYMBOL.size, "SONAME": symbols.soname}
    values["VERDEFNUM"] = symbols.definition_count
    tags = {**_NEEDED_TAGS, **(_VERSION_TAGS if symbols.versions else {})}
    return b"".join(struct.pack("<QQ", tag, values[name]) for name, tag in tags.items()) + b"\0" * 16


def _headers(text: int, start: int, dynamic: int) -> bytes:
    """The ELF header and four program headers: what is run, what the loader writes to, its table, the stack."""
    identity = b"\x7fELF\x02\x01\x01" + b"\0" * 9
    elf = identity + struct.pack("<HHIQQQIHHHHHH", 3, 62, 1, 0, 64, 0, 0, 64, 56, 4, 64, 0, 0)
    segments = (
        (1, 5, 0, text, _PAGE),
        (1, 6, start, dynamic, _PAGE),
        (2, 6, start, dynamic, 8),
        (0x6474E551, 6, 0, 0, 16),
    )
    return elf + b"".join(
        struct.pack("<IIQQQQQQ", kind, flags, offset, offset, offset, size, size, alignment)
        for kind, flags, offset, size, alignment in segments
    )


def main(folder: Path, least: int) -> int:
    """Hollow the libraries of a folder; prints what became of each."""
    for path in sorted(folder.rglob("*.so*")):
        if path.is_file() and not path.is_symlink() and path.stat().st_size >= least:
            before = path.stat().st_size
            after = write(read(path.read_bytes()))
            path.write_bytes(after)
            print(f"{path.name}: {before >> 20} MiB, now {len(after) >> 10} KiB")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), int(sys.argv[2])))
