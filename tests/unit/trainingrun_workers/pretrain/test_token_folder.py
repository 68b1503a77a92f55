import array
import sys
from pathlib import Path

import pytest

from trainingrun_workers.errors import BadData
from trainingrun_workers.pretrain.token_folder import TokenFolder
from trainingrun_workers.volume import mark_complete


def token_folder(folder: Path, *files: list[int], tokens: int | None = None) -> Path:
    folder.mkdir()
    for number, ids in enumerate(files):
        words = array.array("H", ids)
        if sys.byteorder == "big":
            words.byteswap()
        (folder / f"{number:05d}.ds").write_bytes(words.tobytes())
    mark_complete(folder, {"tokens": sum(map(len, files)) if tokens is None else tokens})
    return folder


def ids(data: bytes) -> list[int]:
    return [int.from_bytes(data[i : i + 2], "little") for i in range(0, len(data), 2)]


def test_windows_share_one_token_and_stay_within_their_file(tmp_path: Path) -> None:
    tokens = TokenFolder(token_folder(tmp_path / "t", list(range(11)), [7], list(range(20, 25))), 2, 4)

    assert tokens.tokens == 17
    assert [ids(tokens.window(i)) for i in range(tokens.windows)] == [
        [0, 1, 2, 3, 4],
        [4, 5, 6, 7, 8],
        [20, 21, 22, 23, 24],
    ]


def test_tokens_that_fill_no_window_are_counted(tmp_path: Path) -> None:
    tokens = TokenFolder(token_folder(tmp_path / "t", list(range(11)), [7], [], list(range(20, 25))), 2, 4)
    read = [one for i in range(tokens.windows) for one in ids(tokens.window(i))]

    assert tokens.left_out == 17 - len(set(read)) == 2 + 1


def test_a_folder_without_its_marker_is_refused(tmp_path: Path) -> None:
    folder = token_folder(tmp_path / "t", list(range(11)))
    (folder / "COMPLETE.json").unlink()

    with pytest.raises(BadData, match="not complete") as caught:
        TokenFolder(folder, 2, 4)
    assert caught.value.reason == "TokensMissing"


def test_files_that_hold_other_than_the_marker_says_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadData, match="hold 11 tokens of 2 bytes but its marker says 12"):
        TokenFolder(token_folder(tmp_path / "t", list(range(11)), tokens=12), 2, 4)


def test_too_few_tokens_for_one_sequence_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadData, match="fill no sequence of 64"):
        TokenFolder(token_folder(tmp_path / "t", list(range(11))), 2, 64)


def test_a_file_that_is_cut_while_it_is_read_is_noticed(tmp_path: Path) -> None:
    folder = token_folder(tmp_path / "t", list(range(11)))
    tokens = TokenFolder(folder, 2, 4)
    (folder / "00000.ds").write_bytes(b"\0" * 6)

    with pytest.raises(BadData, match="shorter than it was"):
        tokens.window(1)
