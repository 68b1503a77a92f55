"""A Slurm batch script as facts: what it asks the scheduler for, what it exports, what it starts.

Read are `#SBATCH` lines, assignments and the line that starts training; nothing is run. Source of the options: the
manual page of sbatch.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Final

SHORT: Final = {
    "A": "account", "C": "constraint", "D": "chdir", "G": "gpus", "J": "job-name", "N": "nodes", "a": "array",
    "c": "cpus-per-task", "d": "dependency", "e": "error", "n": "ntasks", "o": "output", "p": "partition", "q": "qos",
    "t": "time", "w": "nodelist", "x": "exclude",
}  # fmt: skip
FLAGS: Final = frozenset({"exclusive", "requeue", "no-requeue", "overcommit", "spread-job", "contiguous"})
STARTERS: Final = frozenset({"torchrun", "accelerate", "axolotl", "deepspeed", "torch.distributed.run",
                             "torch.distributed.launch"})  # fmt: skip
CONFIG_OPTIONS: Final = ("config-file", "config", "config_file")
_COMMENT: Final = re.compile(r"(?:^|\s)#\s*(.*)$")
_ASSIGNMENT: Final = re.compile(r"^(export\s+)?([A-Za-z_]\w*)=(.*)$")
_VARIABLE: Final = re.compile(r"\$(?:\{(\w+)(?::-([^}]*))?\}|(\w+))")


@dataclass(frozen=True)
class Setting:
    """A value with its line and what is remarked behind it."""

    value: str
    line: int
    comment: str = ""


@dataclass(frozen=True)
class Launch:
    """The line that starts training."""

    line: int
    engine: str | None  # nanotron, axolotl, or None where it can't be told
    options: Mapping[str, str]  # of torchrun and what it starts, with - for _
    config: str | None  # the configuration that it names


@dataclass(frozen=True)
class BatchScript:
    """What a script says."""

    source: str
    directives: Mapping[str, Setting]
    variables: Mapping[str, Setting]  # assigned or exported
    launch: Launch | None
    software: tuple[Setting, ...] = ()  # lines that choose software: module, source, conda
    folder: str | None = None  # that it changes to

    @property
    def name(self) -> str:
        """The file's own name, for messages."""
        return PurePath(self.source).name

    def at(self, line: int) -> str:
        """A place in the script, for messages."""
        return f"{self.name} line {line}"

    def number(self, directive: str) -> int | None:
        """The whole number that a directive gives; of a range the first."""
        found = self.directives.get(directive)
        match = re.match(r"\d+", found.value) if found else None
        return int(match.group()) if match else None

    @property
    def nodes(self) -> int | None:
        """Nodes that are asked for."""
        return self.number("nodes")

    @property
    def gpus(self) -> tuple[int, Setting] | None:
        """GPUs a node that are asked for, and the directive that says so."""
        for name in ("gpus-per-node", "gres"):
            found = self.directives.get(name)
            match = re.search(r"(?:^|,)(?:gpu:)?(?:[A-Za-z][\w.-]*:)?(\d+)(?:\(|,|$)", found.value) if found else None
            if found and match and (name != "gres" or "gpu" in found.value):
                return int(match.group(1)), found
        total, nodes = self.number("gpus"), self.nodes or 1
        if total is not None and total % nodes == 0:
            return total // nodes, self.directives["gpus"]
        each, tasks = self.number("gpus-per-task"), self.number("ntasks-per-node") or 1
        return (each * tasks, self.directives["gpus-per-task"]) if each is not None else None

    def launched(self, option: str) -> int | None:
        """The whole number that an option of the launch has, with variables put in."""
        given = self.launch.options.get(option) if self.launch else None
        value = self.expanded(given) if given else ""
        return int(value) if value.isdigit() else None

    def expanded(self, text: str, depth: int = 5) -> str:
        """A text with the script's own variables, and Slurm's, put in as far as they are known."""

        def value(match: re.Match[str]) -> str:
            name = match.group(1) or match.group(3)
            known = self._of_slurm(name)
            if known is None and name in self.variables:
                known = self.variables[name].value
            return known if known is not None else match.group(2) or match.group()

        put_in = _VARIABLE.sub(value, text)
        return put_in if put_in == text or depth == 0 else self.expanded(put_in, depth - 1)

    def _of_slurm(self, name: str) -> str | None:
        numbers = {
            "SLURM_JOB_NUM_NODES": self.nodes, "SLURM_NNODES": self.nodes,
            "SLURM_GPUS_ON_NODE": self.gpus[0] if self.gpus else None,
            "SLURM_GPUS_PER_NODE": self.gpus[0] if self.gpus else None,
            "SLURM_CPUS_PER_TASK": self.number("cpus-per-task"),
        }  # fmt: skip
        found = numbers.get(name)
        return None if found is None else str(found)


def parse(text: str, source: str) -> BatchScript:
    """The facts of a script; what can't be read as a command is left out."""
    directives: dict[str, Setting] = {}
    variables: dict[str, Setting] = {}
    software: list[Setting] = []
    launch: Launch | None = None
    folder: str | None = None
    for line, logical in _logical_lines(text):
        if logical.startswith("#"):
            directives |= dict(_directives(line, logical))
            continue
        assigned = _ASSIGNMENT.match(logical)
        words = _words(logical)
        if assigned and (assigned.group(1) or len(words) == 1):
            variables |= dict(_assigned(line, logical))
        elif words[:1] in (["module"], ["source"], ["."], ["conda"]):
            software.append(Setting(" ".join(words), line))
        elif words[:1] == ["cd"] and len(words) == 2:
            folder = words[1]
        elif _starts(words):
            launch = _launch(line, words)
    return BatchScript(source, directives, variables, launch, tuple(software), folder)


def _logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Lines with the ones that a backslash continues, by the number of the first."""
    held, first = "", 0
    for number, line in enumerate(text.splitlines(), start=1):
        first = first if held else number
        stripped = line.strip()
        if stripped.endswith("\\") and not stripped.startswith("#"):
            held += stripped[:-1] + " "
            continue
        if held or stripped:
            yield first, (held + stripped).strip()
        held = ""
    if held.strip():
        yield first, held.strip()


def _directives(line: int, text: str) -> Iterator[tuple[str, Setting]]:
    match = re.match(r"#SBATCH\s+(.*)$", text)
    if match is None:
        return
    body, _, comment = match.group(1).partition(" #")
    words = _words(body)
    while words:
        word = words.pop(0)
        name, equals, value = word.partition("=")
        if name.startswith("--"):
            name = name[2:]
            takes = not equals and name not in FLAGS
        elif name.startswith("-") and len(name) > 1:
            value = word[2:].removeprefix("=")
            name, takes = SHORT.get(word[1], word[1]), not word[2:]
        else:
            continue
        if takes and words and not words[0].startswith("-"):
            value = words.pop(0)
        yield name, Setting(value, line, comment.strip())


def _assigned(line: int, text: str) -> Iterator[tuple[str, Setting]]:
    """Every assignment of a line such as `export A=1 B=2`, quotes taken away; a command's output stays as written."""
    comment = _COMMENT.search(text)
    remark = comment.group(1) if comment else ""
    match = _ASSIGNMENT.match(text)
    if match and "$(" in text:
        yield match.group(2), Setting(match.group(3).strip(), line, "")
        return
    for word in _words(text):
        name, equals, value = word.partition("=")
        if equals and name.isidentifier():
            yield name, Setting(value, line, remark)


def _words(text: str) -> list[str]:
    try:
        return shlex.split(text, comments=True)
    except ValueError:
        return []


def _starts(words: Sequence[str]) -> bool:
    return any(PurePath(word).name in STARTERS or PurePath(word).name == "run_train.py" for word in words) or any(
        word.startswith("axolotl.cli") for word in words
    )


def _launch(line: int, words: Sequence[str]) -> Launch:
    options: dict[str, str] = {}
    for word, following in zip(words, [*words[1:], ""], strict=True):
        if word.startswith("--"):
            name, equals, value = word[2:].partition("=")
            options[name.replace("_", "-")] = value if equals else "" if following.startswith("-") else following
    named = next((options[one] for one in CONFIG_OPTIONS if options.get(one)), None)
    files = [word for word in words if word.endswith((".yaml", ".yml")) and "=" not in word]
    return Launch(line, _engine(words), options, named or (files[-1] if files else None))


def _engine(words: Sequence[str]) -> str | None:
    text = " ".join(words)
    if "axolotl" in text:
        return "axolotl"
    return "nanotron" if "run_train.py" in text or "nanotron" in text else None
