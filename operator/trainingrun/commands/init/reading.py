"""The files that `trainingrun init` is given: found, read, told apart; and the one that it writes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Final

from trainingrun.commands.init.agreement import vocabulary_of
from trainingrun.commands.init.batch_script import BatchScript, parse
from trainingrun.commands.init.config_file import ConfigFile, UnreadableError, read_config
from trainingrun.commands.init.draft import Wanted
from trainingrun.commands.init.draft import run_name as as_run_name
from trainingrun.commands.init.figures import PEAKS, Speed
from trainingrun.commands.init.from_axolotl import is_axolotl
from trainingrun.commands.init.from_nanotron import is_nanotron
from trainingrun.commands.init.presets import PRESETS
from trainingrun.commands.init.with_engine import ENGINES
from trainingrun.commands.manifest import FAULTY, MISUSED, CommandError

UNITS: Final = {"": 1.0, "K": 1e3, "M": 1e6, "B": 1e9, "G": 1e9, "T": 1e12}


@dataclass(frozen=True)
class Given:
    """What the command was given."""

    preset: str | None = None
    nanotron: str | None = None
    axolotl: tuple[str, ...] = ()
    sbatch: tuple[str, ...] = ()
    name: str | None = None
    claim: str | None = None
    tokens: int | None = None
    nodes: int | None = None
    gpus: int | None = None
    tokenizer: str | None = None
    engine: str | None = None

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to make a manifest of."""
        return not (self.preset or self.nanotron or self.axolotl or self.sbatch)


def number(option: str, text: str | None) -> int | None:
    """A number such as 350B or 1e12; CommandError where it is none."""
    if text is None:
        return None
    match = re.fullmatch(r"([\d_,]*\.?\d+(?:[eE]\d+)?)\s*([KMBGT]?)", text.strip(), re.IGNORECASE)
    value = float(re.sub("[_,]", "", match.group(1))) * UNITS[match.group(2).upper()] if match else 0.0
    if value < 1:
        raise CommandError(f"{option} {text} is no number of tokens: write it as 350B or 1T.", MISUSED)
    return int(value)


def speed(gpu: str, utilization: float) -> Speed:
    """The speed that is reckoned with; CommandError for a GPU that isn't known."""
    if gpu.lower() not in PEAKS:
        raise CommandError(f"--gpu {gpu} is none whose speed is known: choose one of {', '.join(PEAKS)}.", MISUSED)
    return Speed(gpu.lower(), utilization)


def wanted(given: Given, reckoned: Speed) -> Wanted:
    """All that was given, read; CommandError where a file is missing or is something else than it was given as."""
    if given.preset is not None and given.preset.lower() not in PRESETS:
        has = ", ".join(PRESETS)
        raise CommandError(f"--preset {given.preset} is none: choose one of {has}.", MISUSED)
    if given.engine is not None and given.engine not in ENGINES:
        raise CommandError(f"--engine {given.engine} is none: choose one of {', '.join(ENGINES)}.", MISUSED)
    if given.name is not None and as_run_name(given.name) != given.name:
        raise CommandError(
            f"--name {given.name} becomes part of host names: begin it with a letter, and use at most 32 lower-case "
            f"letters, digits and '-', such as {as_run_name(given.name)}.",
            MISUSED,
        )
    files = _Files(given)
    if given.preset is not None and files.nanotron is not None:
        raise CommandError(f"Both --preset and {files.nanotron.source} say what the base model is: give one.", MISUSED)
    if given.preset is None and files.nanotron is None:
        raise CommandError(
            "A run begins with a base model: give --from-nanotron with its configuration, or --preset.", MISUSED
        )
    return Wanted(
        reckoned,
        PRESETS[given.preset.lower()] if given.preset is not None else None,
        files.nanotron,
        tuple(files.axolotl.values()),
        files.pretraining,
        files.tuning,
        given.name,
        given.claim,
        given.tokens,
        given.nodes,
        given.gpus,
        _vocabulary(given.tokenizer, files.nanotron),
        given.engine,
    )


class _Files:
    """The configurations, and which script starts which."""

    def __init__(self, given: Given) -> None:
        self.nanotron = _config(given.nanotron) if given.nanotron else None
        self.axolotl = {name: _config(name) for name in given.axolotl}
        self.pretraining: BatchScript | None = None
        self.tuning: dict[str, BatchScript] = {}
        if self.nanotron is not None and not is_nanotron(self.nanotron):
            raise _another(self.nanotron, "--from-nanotron", "nanotron", "--from-axolotl")
        for file in self.axolotl.values():
            if not is_axolotl(file):
                raise _another(file, "--from-axolotl", "Axolotl", "--from-nanotron")
        for name in given.sbatch:
            self._take(parse(_text(name), name))

    def _take(self, script: BatchScript) -> None:
        found = _named_by(script)
        named = script.launch.config if script.launch is not None else None
        engine = script.launch.engine if script.launch is not None else None
        tunes = engine == "axolotl" or (engine is None and found is not None and is_axolotl(found))
        if tunes:
            self._tunes(script, named, found)
            return
        if self.pretraining is not None:
            raise CommandError(
                f"Both {self.pretraining.source} and {script.source} start pretraining: give one of them.", MISUSED
            )
        self.pretraining = script
        if self.nanotron is None:
            if found is None:
                raise _absent(script, named, "--from-nanotron")
            self.nanotron = found

    def _tunes(self, script: BatchScript, named: str | None, found: ConfigFile | None) -> None:
        free = [source for source in self.axolotl if source not in self.tuning]
        same = [one for one in free if named is not None and PurePath(one).name == PurePath(named).name]
        if same or (found is None and len(free) == 1):
            self.tuning[(same or free)[0]] = script
        elif found is not None:
            self.axolotl[found.source] = found
            self.tuning[found.source] = script
        else:
            raise _absent(script, named, "--from-axolotl")


def _named_by(script: BatchScript) -> ConfigFile | None:
    """The configuration that a script starts with, where it is found here; None where it isn't."""
    if script.launch is None or script.launch.config is None:
        return None
    path = next((one for one in _candidates(script, script.expanded(script.launch.config)) if one.is_file()), None)
    return None if path is None else _config(str(path))


def _candidates(script: BatchScript, named: str) -> Iterator[Path]:
    beside = Path(script.source).parent
    chdir = script.directives.get("chdir")
    for folder in (script.folder, chdir.value if chdir is not None else None):
        if folder is not None:
            yield beside / folder / named
    yield Path(named)
    yield beside / named
    yield beside / PurePath(named).name


def _config(name: str) -> ConfigFile:
    try:
        return read_config(_text(name), name)
    except UnreadableError as error:
        raise CommandError(str(error), FAULTY) from error


def _text(name: str) -> str:
    try:
        return Path(name).read_text(encoding="utf-8")
    except OSError as error:
        raise CommandError(f"{name} can't be read: {error.strerror}.", MISUSED) from error
    except UnicodeDecodeError as error:
        raise CommandError(f"{name} is no text: byte {error.start} is not UTF-8.", FAULTY) from error


def _another(file: ConfigFile, option: str, engine: str, other: str) -> CommandError:
    keys: Iterable[str] = list(file.content)[:4]
    return CommandError(
        f"{file.source} is no {engine} configuration (it has {', '.join(map(str, keys))}): give it with {other} if it "
        f"is one of those, or give {option} another.",
        FAULTY,
    )


def _absent(script: BatchScript, named: str | None, option: str) -> CommandError:
    if named is None or script.launch is None:
        return CommandError(f"{script.source} names no configuration: give it with {option}.", MISUSED)
    return CommandError(
        f"{script.at(script.launch.line)} names the configuration {named}, which isn't here: give it with {option}.",
        MISUSED,
    )


def _vocabulary(folder: str | None, file: ConfigFile | None) -> int | None:
    """The ids of a tokenizer that lies here; CommandError where one was named and can't be counted."""
    named = file.get("tokenizer.tokenizer_name_or_path") if file is not None else None
    if folder is None:
        path = Path(named) / "tokenizer.json" if isinstance(named, str) else None
        return vocabulary_of(_text(str(path))) if path is not None and path.is_file() else None
    found = vocabulary_of(_text(str(Path(folder) / "tokenizer.json")))
    if found is None:
        raise CommandError(f"{folder}/tokenizer.json holds no vocabulary: name a tokenizer's folder.", FAULTY)
    return found


def free(file: str, force: bool) -> None:
    """Nothing, or a CommandError where a file would be written over."""
    if file != "-" and not force and Path(file).exists():
        raise CommandError(
            f"{file} is there already: name another with --file, or write over it with --force.", MISUSED
        )


def write(file: str, text: str) -> None:
    """Write the manifest, unless it is printed."""
    if file == "-":
        return
    try:
        Path(file).write_text(text, encoding="utf-8")
    except OSError as error:
        raise CommandError(f"{file} can't be written: {error.strerror}.", MISUSED) from error
