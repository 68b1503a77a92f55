from array import array
from pathlib import Path
from typing import Any

import pytest

from trainingrun_workers.sft.packings import Packings

LENGTHS = array("i", [5, 3, 8, 2, 2])
GIVEN: dict[str, Any] = {"bin_capacity": 8, "group_size": 100, "bin_size": 10, "safe_mode": True}
PACKED = [[0, 1], [2], [3, 4]]


class Packer:
    """Packs, and counts how often it was asked."""

    def __init__(self, packed: list[list[int]] = PACKED) -> None:
        self.asked = 0
        self._packed = packed

    def __call__(self, lengths: Any, **given: Any) -> list[list[int]]:
        self.asked += 1
        return self._packed


def packed(folder: Path, packer: Packer, lengths: Any = LENGTHS, keeps: bool = True, **changes: Any) -> list[list[int]]:
    return Packings(folder, keeps).around(packer)(lengths, num_processes=2, **{**GIVEN, **changes})


def only_file(folder: Path) -> Path:
    (file,) = folder.iterdir()
    return file


def test_what_was_packed_is_taken_and_not_packed_again(tmp_path: Path) -> None:
    packer = Packer()

    assert packed(tmp_path / "packings", packer) == PACKED
    assert packed(tmp_path / "packings", packer, keeps=False) == PACKED
    assert packer.asked == 1


@pytest.mark.parametrize(
    ("lengths", "changes"),
    [
        (LENGTHS[::-1], {}),
        (LENGTHS, {"bin_capacity": 16}),
        (LENGTHS, {"group_size": 2}),
        (LENGTHS, {"bin_size": 1}),
        (LENGTHS, {"safe_mode": False}),
    ],
)
def test_another_order_or_size_is_packed_for_itself(tmp_path: Path, lengths: Any, changes: dict[str, Any]) -> None:
    packer = Packer()
    packed(tmp_path / "packings", packer)
    packed(tmp_path / "packings", packer, lengths, **changes)

    assert packer.asked == 2


def test_a_gang_keeps_nothing(tmp_path: Path) -> None:
    packed(tmp_path / "packings", Packer(), keeps=False)

    assert not (tmp_path / "packings").exists()


@pytest.mark.parametrize("place", [0, 0.3, 0.6, 0.9])
def test_a_damaged_packing_is_packed_again_and_mended(
    tmp_path: Path, place: float, caplog: pytest.LogCaptureFixture
) -> None:
    many, alone = array("i", range(2000)), [[number] for number in range(2000)]
    packer = Packer(alone)
    packed(tmp_path / "packings", packer, many)
    file = only_file(tmp_path / "packings")
    whole = file.read_bytes()
    at = int(place * len(whole))
    file.write_bytes(whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :])

    assert packed(tmp_path / "packings", packer, many) == alone
    assert "is damaged" in caplog.text
    assert packer.asked == 2
    assert file.read_bytes() == whole


def test_half_a_packing_is_packed_again(tmp_path: Path) -> None:
    packer = Packer()
    packed(tmp_path / "packings", packer)
    file = only_file(tmp_path / "packings")
    file.write_bytes(file.read_bytes()[:-20])

    assert packed(tmp_path / "packings", packer, keeps=False) == PACKED
    assert packer.asked == 2


def test_nothing_is_written_where_another_attempt_has_taken_the_folder(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        packed(tmp_path / "gone/packings", Packer())
    assert list(tmp_path.iterdir()) == []
