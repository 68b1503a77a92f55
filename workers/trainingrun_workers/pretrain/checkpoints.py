"""Checkpoints of a pretrain stage on the volume, each of them whole or not there.

A checkpoint is the folder `<stage folder>/checkpoints/step-00000300`. It is written under a temporary name, synced,
given its marker last and then renamed, so a process that is killed at any moment leaves no half of one behind::

    COMPLETE.json             {"step", "samples", "tokens", "tokensBySource": {name: tokens}, "files": {path: bytes},
                               "engine": {...}, "ranks": {"dp", "tp", "pp"}, "skips": [[step, steps], ...]}
    config.yaml               nanotron's configuration as it ran
    model_config.json         nanotron's LlamaConfig: hidden_size, num_hidden_layers, vocab_size, ... (rotary embeddings
                              of nanotron 0.4 are interleaved and of base 10000, which is not written there)
    checkpoint_metadata.json  nanotron's own: {"version", "tp", "dp", "metas": {"last_train_step", ...}}
    model/model/…             weights, one safetensors file a tensor, under the key "data"
    optimizer/…  lr_scheduler/…  random/…

The files of the weights, for tensor-parallel and pipeline-parallel sizes of 1 (`W` stands for
`model_weight_pp-rank-0-of-1_tp-rank-0-of-1.safetensors`, which has one file a shard otherwise)::

    model/model/token_position_embeddings/pp_block/token_embedding/W    [vocab, hidden]; also the head where tied
    model/model/decoder/<layer>/pp_block/input_layernorm/model_weight.safetensors             [hidden]
    model/model/decoder/<layer>/pp_block/post_attention_layernorm/model_weight.safetensors    [hidden]
    model/model/decoder/<layer>/pp_block/attn/qkv_proj/W     rows: queries, keys, values; rotary pairs interleaved
    model/model/decoder/<layer>/pp_block/attn/o_proj/W
    model/model/decoder/<layer>/pp_block/mlp/gate_up_proj/W  rows: gate, up
    model/model/decoder/<layer>/pp_block/mlp/down_proj/W
    model/model/final_layer_norm/pp_block/model_weight.safetensors
    model/model/lm_head/pp_block/W                           only where the embedding is not tied

Standard library only, so that whoever reads checkpoints can use it without an engine.
"""

import json
import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from trainingrun_workers.contract import COMPLETE_MARKER, Skip, checkpoint_name
from trainingrun_workers.volume import make_folder, read_marker, sync_file, sync_folder

_NAME: Final = re.compile(r"step-(\d{8,})")
_UNFINISHED: Final = ".unfinished-"  # being written or being removed; never read
_REMOVED: Final = f"{_UNFINISHED}removed-"
TORN: Final = "torn-"
SKIPPED: Final = "skipped-"  # made of data that the run leaves out since


class Checkpoints:
    """The checkpoints in one folder, by step; `writer` is in the names of what is being written."""

    def __init__(self, folder: Path, writer: str = "") -> None:
        self.folder = folder
        self._unfinished = f"{_UNFINISHED}{writer}-" if writer else _UNFINISHED

    def path(self, step: int) -> Path:
        """The folder of a step's checkpoint, there or not."""
        return self.folder / checkpoint_name(step)

    def complete(self) -> tuple[int, ...]:
        """The steps of all complete checkpoints, ascending."""
        return tuple(sorted(step for step, path in self._named() if (path / COMPLETE_MARKER).is_file()))

    def newest(self) -> int | None:
        """The highest step with a complete checkpoint."""
        return max(self.complete(), default=None)

    def set_torn_aside(self) -> tuple[str, ...]:
        """Rename checkpoints that lack their marker or a file of it, remove unfinished ones; yields the new names.

        For one process, before any checkpoint is read or written.
        """
        make_folder(self.folder)
        for path in self.folder.glob(f"{_UNFINISHED}*"):
            discard(path, _REMOVED)
        return tuple(self._set_aside(path, TORN) for _, path in sorted(self._named()) if not _is_whole(path))

    def set_skipped_aside(self, skips: Sequence[Skip]) -> tuple[int, ...]:
        """Rename checkpoints that were made of data which are skipped now; yields their steps.

        A checkpoint stays where it was made with just those of the skips that lie before it.
        """
        stale = tuple(
            step for step in self.complete() if self.marker(step).get("skips", []) != skips_before(skips, step)
        )
        for step in stale:
            self._set_aside(self.path(step), SKIPPED)
        return stale

    def begin(self, step: int) -> Path:
        """An empty folder to write a step's checkpoint into."""
        folder = self._written(step)
        shutil.rmtree(folder, ignore_errors=True)
        return make_folder(folder)

    def finish(self, step: int, marker: dict[str, Any]) -> Path:
        """Mark what was written since `begin` and give it its name, once each node has called `sync`.

        OSError where that name is taken, or where another attempt has cleared away what was written: a process that
        wakes when another attempt has taken over replaces nothing.
        """
        folder = self._written(step)
        content = json.dumps({"step": step, **marker, "files": sizes(folder)}, sort_keys=True, indent=1) + "\n"
        (folder / COMPLETE_MARKER).write_text(content)
        sync_file(folder / COMPLETE_MARKER)
        sync_folder(folder)
        folder.rename(self.path(step))
        sync_folder(self.folder)
        return self.path(step)

    def abandon(self, step: int) -> None:
        """Remove what was written since `begin`."""
        shutil.rmtree(self._written(step), ignore_errors=True)

    def remove(self, step: int) -> None:
        """Remove a checkpoint; killed in between it leaves nothing that looks like one."""
        discard(self.path(step), _REMOVED)

    def marker(self, step: int) -> dict[str, Any]:
        """What a complete checkpoint's marker says; empty for one without."""
        return read_marker(self.path(step)) or {}

    def _written(self, step: int) -> Path:
        return self.folder / f"{self._unfinished}{checkpoint_name(step)}"

    def _named(self) -> list[tuple[int, Path]]:
        if not self.folder.is_dir():
            return []
        found = ((_NAME.fullmatch(path.name), path) for path in self.folder.iterdir())
        return [(int(match[1]), path) for match, path in found if match]

    def _set_aside(self, path: Path, prefix: str) -> str:
        aside = _free(path.with_name(f"{prefix}{path.name}"))
        path.rename(aside)
        return aside.name


def sync(folder: Path) -> None:
    """Wait until all that this node has written below a folder is on the disk."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            sync_file(path)
        else:
            sync_folder(path)
    sync_folder(folder)


def sizes(folder: Path) -> dict[str, int]:
    """Bytes of each file below a folder, by its relative path, without the marker."""
    return {
        str(path.relative_to(folder)): path.stat().st_size
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != COMPLETE_MARKER and not path.name.endswith(".tmp")
    }


def discard(path: Path, prefix: str) -> None:
    """Remove a folder, under a name with `prefix` first, so that whoever still writes there can't finish it."""
    doomed = path if path.name.startswith(prefix) else _free(path.with_name(f"{prefix}{path.name}"))
    path.rename(doomed)
    shutil.rmtree(doomed, ignore_errors=True)


def skips_before(skips: Sequence[Skip], step: int) -> list[list[int]]:
    """The skips that had been made by a step, as its checkpoint's marker lists them."""
    return [[skip.step, skip.steps] for skip in skips if skip.step < step]


def _is_whole(folder: Path) -> bool:
    marker = read_marker(folder)
    if marker is None:
        return False
    found = sizes(folder)
    return all(found.get(name) == size for name, size in marker.get("files", {}).items())


def _free(path: Path) -> Path:
    """The first of path-0, path-1 and so on that is not there."""
    number = 0
    while (numbered := path.with_name(f"{path.name}-{number}")).exists():
        number += 1
    return numbered
