"""What the pre-flight says of figures."""

from typing import Any

import pytest

from trainingrun_workers.pretrain.preflight.judgement import judge, numbers, summary


def gang(name: str, *values: float) -> list[dict[str, Any]]:
    """A rank a node, with one measure."""
    return [{"rank": rank, "node": f"n{rank}", name: value} for rank, value in enumerate(values)]


@pytest.mark.parametrize(
    ("name", "values", "floors", "relative", "blamed"),
    [
        ("matmulTflops", (600, 610, 590), {}, True, ""),
        ("matmulTflops", (600, 400, 590), {}, True, "n1"),
        ("matmulTflops", (600, 400, 590), {}, False, ""),  # machines without GPUs are noisy
        ("matmulTflops", (600, 100), {}, True, ""),  # two can't tell
        ("matmulTflops", (600, 100, 100), {}, True, ""),  # nor three, where two are alike
        ("matmulTflops", (600, 100), {"matmulTflops": 300.0}, False, "n1"),
        ("matmulTflops", (600, 100, 600, 200, 600), {}, True, "n1 n3"),
        ("matmulTflops", (600, 200, 600, 100), {}, True, "n3 n1"),
        ("matmulTflops", (600, 200, 600, 100), {"matmulTflops": 300.0}, False, "n3 n1"),
        ("edgeGbs", (40, 40, 5, 40), {}, True, "n2"),
        ("shmFree", (9e9, 1e6, 9e9), {}, True, ""),  # pods may differ
        ("shmFree", (9e9, 1e6), {"shmFree": 1e9}, False, "n1"),
        ("volumeMbs", (500, 20), {"volumeMbs": 100.0}, False, "n1"),
        ("allReduceGbs", (100, 50, 100), {}, True, ""),  # the gang's, not a node's
    ],
)
def test_nodes_are_blamed_where_they_are_low_and_no_more_than_half(
    name: str, values: tuple[float, ...], floors: dict[str, float], relative: bool, blamed: str
) -> None:
    found = judge(gang(name, *values), floors, relative)
    assert " ".join(found.nodes if found else ()) == blamed
    if found and len(found.nodes) == 1:
        assert f"Node {blamed} lets the gang down" in found.message


def test_the_sentence_has_the_figures_of_all_nodes_that_it_names() -> None:
    found = judge(gang("matmulTflops", 600, 100, 610, 200, 590), {}, relative=True)
    assert found is not None
    assert found.message == (
        "Nodes n1 and n3 let the gang down: matrix product came to 100 TFLOP/s on n1, 200 TFLOP/s on n3, where the "
        "others' median is 600: look at them before they are used again."
    )


def test_a_sentence_about_many_nodes_stays_short() -> None:
    found = judge(gang("matmulTflops", *[100.0] * 40, *[600.0] * 60), {}, relative=True)
    assert found is not None
    assert len(found.nodes) == 40
    assert "n0, n1, n2, n3, n4 and 35 more let" in found.message
    assert len(found.message) < 512


def test_measures_that_find_other_nodes_add_theirs_up_to_half_of_the_gang() -> None:
    figures = [{"rank": rank, "node": f"n{rank}", "matmulTflops": 600.0, "shmFree": 9e9} for rank in range(5)]
    figures[1]["matmulTflops"], figures[3]["shmFree"] = 100.0, 1e6
    found = judge(figures, {"shmFree": 1e9}, relative=True)
    assert found is not None
    assert found.nodes == ("n1", "n3")
    assert "matrix product" in found.message and "free room in /dev/shm" in found.message
    figures[0]["shmFree"] = 1e6
    found = judge(figures, {"shmFree": 1e9}, relative=True)
    assert found is not None
    assert found.nodes == ("n1",), "three of five are too many at once: the rest is left to the next attempt"


def test_a_bad_node_is_named_before_a_floor_that_the_gang_may_miss_because_of_it() -> None:
    figures = [{"rank": rank, "node": f"n{rank}", "matmulTflops": 600.0, "allReduceGbs": 10.0} for rank in range(4)]
    figures[2]["matmulTflops"] = 100.0
    found = judge(figures, {"allReduceGbs": 100.0}, relative=True)
    assert found is not None
    assert found.nodes == ("n2",)


def test_more_than_half_of_the_nodes_below_a_floor_blame_the_floor_and_no_node() -> None:
    found = judge(gang("volumeMbs", 50, 60, 500), {"volumeMbs": 100.0}, relative=True)
    assert found is not None
    assert found.nodes == ()
    assert found.message.startswith("2 of 3 nodes are below the floor pretrain.preflight.volumeMbs of 100 MB/s")


@pytest.mark.parametrize("name", ["matmulTflops", "allReduceGbs"])
def test_a_gang_that_is_low_as_a_whole_blames_the_floor(name: str) -> None:
    found = judge(gang(name, 50, 60, 55), {name: 100.0}, relative=True)
    assert found is not None
    assert found.nodes == ()
    assert f"pretrain.preflight.{name} of 100" in found.message
    assert "50 at worst and 60 at best" in found.message


def test_a_node_is_as_good_as_its_worst_rank() -> None:
    figures = [{"rank": rank, "node": f"n{rank // 2}", "matmulTflops": 600.0} for rank in range(6)]
    figures[3]["matmulTflops"] = 100.0
    found = judge(figures, {}, relative=True)
    assert found is not None
    assert (found.nodes, "100 TFLOP/s" in found.message, "median is 600" in found.message) == (("n1",), True, True)


def test_the_summary_tells_room_in_units_that_people_read() -> None:
    assert summary(gang("shmFree", 2.0**33, 2.0**34)) == "free room in /dev/shm 8 GiB (median 12 GiB)"


def test_the_summary_has_the_lowest_and_the_median() -> None:
    figures = gang("matmulTflops", 1, 2, 6)
    assert summary(figures) == "matrix product 1 TFLOP/s (median 2 TFLOP/s)"
    assert numbers(figures) == ({"matmulTflops": 1.0}, {"matmulTflops": 2.0})
