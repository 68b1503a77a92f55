"""What the pre-flight says of figures."""

from typing import Any

import pytest

from trainingrun_workers.pretrain.preflight.judgement import judge, summary


def gang(name: str, *values: float) -> list[dict[str, Any]]:
    """A rank a node, with one measure."""
    return [{"rank": rank, "node": f"n{rank}", name: value} for rank, value in enumerate(values)]


@pytest.mark.parametrize(
    ("name", "values", "floors", "relative", "blamed"),
    [
        ("matmulTflops", (600, 610, 590), {}, True, None),
        ("matmulTflops", (600, 400, 590), {}, True, "n1"),
        ("matmulTflops", (600, 400, 590), {}, False, None),  # machines without GPUs are noisy
        ("matmulTflops", (600, 100), {}, True, None),  # two can't tell
        ("matmulTflops", (600, 100), {"matmulTflops": 300.0}, False, "n1"),
        ("edgeGbs", (40, 40, 5, 40), {}, True, "n2"),
        ("shmFree", (9e9, 1e6, 9e9), {}, True, None),  # pods may differ
        ("shmFree", (9e9, 1e6), {"shmFree": 1e9}, False, "n1"),
        ("volumeMbs", (500, 20), {"volumeMbs": 100.0}, False, "n1"),
        ("allReduceGbs", (100, 50, 100), {}, True, None),  # the gang's, not a node's
    ],
)
def test_a_node_is_blamed_where_it_alone_is_low(
    name: str, values: tuple[float, ...], floors: dict[str, float], relative: bool, blamed: str | None
) -> None:
    found = judge(gang(name, *values), floors, relative)
    assert (found.node if found else None) == blamed
    if found:
        assert f"Node {blamed} lets the gang down" in found.message


@pytest.mark.parametrize("name", ["matmulTflops", "allReduceGbs"])
def test_a_gang_that_is_low_as_a_whole_blames_the_floor(name: str) -> None:
    found = judge(gang(name, 50, 60, 55), {name: 100.0}, relative=True)
    assert found is not None
    assert found.node is None
    assert f"pretrain.preflight.{name} of 100" in found.message
    assert "50 at worst and 60 at best" in found.message


def test_a_node_is_as_good_as_its_worst_rank() -> None:
    figures = [{"rank": rank, "node": f"n{rank // 2}", "matmulTflops": 600.0} for rank in range(6)]
    figures[3]["matmulTflops"] = 100.0
    found = judge(figures, {}, relative=True)
    assert found is not None
    assert (found.node, "100 TFLOP/s" in found.message, "median is 600" in found.message) == ("n1", True, True)


def test_the_summary_has_the_lowest_and_the_median() -> None:
    line, lows = summary(gang("matmulTflops", 1, 2, 6))
    assert line == "matrix product 1 TFLOP/s (median 2)"
    assert lows == {"matmulTflops": 1.0}
