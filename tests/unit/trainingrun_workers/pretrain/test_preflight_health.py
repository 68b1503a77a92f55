"""What a card's own counts of errors lead to."""

from typing import Any

import pytest

from trainingrun_workers.errors import Retry
from trainingrun_workers.pretrain.engines import check_count
from trainingrun_workers.pretrain.preflight import nvml
from trainingrun_workers.pretrain.preflight.judgement import judge, summary

WELL = {"uncorrected": 0, "uncorrected_ever": 0, "remap_pending": False, "remap_failed": False, "lost": None}


def gang(*cards: dict[str, Any] | None) -> list[dict[str, Any]]:
    """Two ranks a node, with what their cards say of themselves; None for one that could not be asked."""
    ranks = [{"rank": rank, "node": f"n{rank // 2}", "card": "H100"} for rank in range(len(cards))]
    return [one if said is None else one | {"health": WELL | said} for one, said in zip(ranks, cards, strict=True)]


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"uncorrected": 3}, "H100 of rank 3 has counted 3 ECC errors that could not be corrected: reset the card."),
        ({"remap_pending": True}, "H100 of rank 3 has rows to be remapped: reset the card."),
        ({"remap_failed": True}, "H100 of rank 3 had no spare row for one that failed: replace the card."),
        (
            {"lost": "it has fallen off the bus"},
            "H100 of rank 3 can't be used (it has fallen off the bus): reset the card or restart the node.",
        ),
    ],
)
def test_a_bad_card_is_its_nodes_fault_even_without_gpus_to_compare(said: dict[str, Any], words: str) -> None:
    found = judge(gang({}, {}, {}, said), {}, relative=False)
    assert found is not None
    assert (found.nodes, found.message) == (("n1",), f"Node n1 has a bad card: {words}")


def test_errors_that_were_mended_long_ago_are_told_and_not_held_against_a_card() -> None:
    figures = gang({"uncorrected_ever": 7}, {}, {}, {})
    assert judge(figures, {}, relative=True) is None
    assert summary(figures) == "uncorrected errors in the cards' lives 7"


def test_bad_cards_are_named_whatever_their_number() -> None:
    found = judge(gang({"remap_pending": True}, {}, {}, {"uncorrected": 1}), {}, relative=True)
    assert found is not None
    assert found.nodes == ("n0", "n1")


def test_what_was_not_looked_at_is_said_and_blames_nobody() -> None:
    assert judge(gang(None, None), {}, relative=True) is None
    assert summary(gang(None, None)) == "the cards' errors were not looked at"
    assert summary(gang({}, None)).endswith("(not looked at on 1 ranks)")
    assert summary([{"rank": 0, "node": "n0"}]) == "", "without GPUs there is nothing to look at"


def test_a_card_that_says_nothing_is_none_that_is_well() -> None:
    unknown = dict.fromkeys(WELL)
    assert judge(gang(unknown, unknown), {}, relative=True) is None


@pytest.mark.parametrize("library", ["libthere-is-none.so.1", "libc.so.6"])
def test_without_the_drivers_library_nothing_is_looked_at(library: str) -> None:
    assert nvml.health("GPU-0", library) is None


def test_a_pod_with_fewer_gpus_than_ranks_names_its_node() -> None:
    check_count(8, 8, "n1")
    with pytest.raises(Retry, match="7 of 8 GPUs are visible") as error:
        check_count(7, 8, "n1")
    assert (error.value.reason, error.value.output) == ("BadNode", {"node": "n1", "nodes": ["n1"]})
