"""What is said of a pre-flight that does not come to its end."""

from trainingrun_workers.pretrain.preflight.deadline import Place, too_long

LIMIT = "The pre-flight did not end within 300 s (pretrain.preflight.timeout)"


def places(*parts: str, quiet: tuple[int, ...] = ()) -> dict[int, Place]:
    """Two ranks a node, each at a part; "" for one that has noted nothing."""
    return {rank: Place(f"n{rank // 2}", part, rank not in quiet) for rank, part in enumerate(parts) if part}


def test_who_is_behind_is_named_with_its_node_and_what_it_does() -> None:
    found = too_long(places("allReduce", "allReduce", "volume", "allReduce"), 4, 300.0)
    assert (found.exit_code, found.reason) == (75, "PreflightTimeout")
    assert found.message == (
        f"{LIMIT}: rank 2 on node n1 was still at its file on the volume, while ranks 0, 1 and 3 were at the "
        "all-reduce: look at the mount of the volume there, and at the volume's server."
    )
    assert found.output == {"node": "n1", "nodes": ["n1"]}


def test_a_rank_that_no_longer_answers_is_named_where_all_are_at_the_same() -> None:
    found = too_long(places("allReduce", "allReduce", "allReduce", "allReduce", quiet=(1,)), 4, 300.0)
    assert "rank 1 on node n0 was still at the all-reduce and did not answer any more" in found.message
    assert found.output["nodes"] == ["n0"]


def test_where_all_wait_for_each_other_no_node_is_named_as_bad() -> None:
    found = too_long(places("links", "links", "links", "links"), 4, 300.0)
    assert found.message.startswith(
        f"{LIMIT}: ranks 0 and 1 on node n0 and ranks 2 and 3 on node n1 were still at the links between nodes: "
        "look at the network"
    )
    assert found.output == {}


def test_more_than_half_of_the_nodes_are_never_named() -> None:
    found = too_long(places("volume", "", "volume", "", "allReduce"), 6, 300.0)
    assert "rank 0 on node n0 and rank 2 on node n1 were still at its file on the volume" in found.message
    assert "nothing was heard of ranks 1, 3 and 5" in found.message
    assert found.output == {}


def test_a_gang_that_nothing_is_known_of_sends_to_the_logs() -> None:
    assert too_long({}, 4, 300.0).message.startswith(f"{LIMIT}, and nothing was heard of any rank")
