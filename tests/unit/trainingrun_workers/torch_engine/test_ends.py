"""What is said of tokens whose documents end with another id than the model takes them to."""

import array
import sys
from pathlib import Path
from typing import Any

import pytest

from trainingrun_workers.contract import PretrainSpec
from trainingrun_workers.errors import BadConfig
from trainingrun_workers.pretrain.token_folder import TokenFolder
from trainingrun_workers.torch_engine.ends import check_ends
from trainingrun_workers.volume import mark_complete

MANY = [*range(20, 25), 70_000]


def tokens(folder: Path, *files: list[int]) -> TokenFolder:
    folder.mkdir()
    for number, ids in enumerate(files):
        words = array.array("I", ids)
        if sys.byteorder == "big":
            words.byteswap()
        (folder / f"{number:05d}.ds").write_bytes(words.tobytes())
    mark_complete(folder, {"tokens": sum(map(len, files))})
    return TokenFolder(folder, 4, 4)


def spec(engine: str = "torch", **model: Any) -> PretrainSpec:
    return PretrainSpec(
        config={"model": {"model_config": model}}, data=(), token_bytes=4, total_steps=1, tokens_per_step=4, nodes=1,
        processes_per_node=1, cpu=True, checkpoint_every=1, keep_last=1, keep_every=None, evaluate_every=None,
        converted=None, hang_timeout=60, engine=engine,
    )  # fmt: skip


def test_the_id_that_ends_documents_is_the_last_of_a_file_that_holds_any(tmp_path: Path) -> None:
    assert tokens(tmp_path / "t", [], MANY, [1]).last_token() == 70_000


def test_masks_after_another_id_than_that_of_each_folder_are_refused_with_both(tmp_path: Path) -> None:
    right, wrong = tokens(tmp_path / "right", MANY), tokens(tmp_path / "wrong", [*MANY, 3])
    masked = spec(_use_doc_masking=True, eos_token_id=70_000)
    check_ends(masked, [right])
    with pytest.raises(BadConfig, match="eos_token_id is 70000, but documents in .*/wrong end with id 3") as caught:
        check_ends(masked, [right, wrong])
    assert caught.value.reason == "EndOfTextDiffers"


@pytest.mark.parametrize(
    "careless", [spec(eos_token_id=9), spec("nanotron", _use_doc_masking=True, eos_token_id=9), spec("custom")]
)
def test_without_masks_no_id_is_asked_for(tmp_path: Path, careless: PretrainSpec) -> None:
    check_ends(careless, [tokens(tmp_path / "t", MANY)])
