"""What the benchmark counts of processes and how it tells of it."""

import resource
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

import documented
from bench import tables
from bench.contenders import Outcome, rounds
from bench.costs import Cost, measured, median

BUSY = """
import time
block = bytearray(200_000_000)
while time.process_time() < 0.5: pass
print(time.process_time())
"""


def start(program: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", program], text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )


def test_processes_cost_what_the_kernel_counts_of_all_of_them() -> None:
    cost, logs = measured([partial(start, BUSY)] * 2)

    of_each = [float(log) for log in logs]
    assert sum(of_each) <= cost.cpu < 1.5 * sum(of_each), "what is left is the end of each process"
    assert cost.wall >= 0.5
    # A process begins as a copy of this one, which may be the larger.
    assert 200e6 < cost.resident < 200e6 + resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def test_a_process_that_fails_is_told_with_what_it_said() -> None:
    with pytest.raises(RuntimeError, match="ended with 3:\nno room"):
        measured([partial(start, "print('no room'); raise SystemExit(3)")])


def test_medians_are_of_each_figure_alone() -> None:
    assert median([Cost(1, 9, 5), Cost(2, 8, 6), Cost(30, 1, 7)]) == Cost(2, 8, 6)


def outcome(wall: float, cpu: float, digest: str = "same", tokens: int = 1_000_000) -> Outcome:
    return Outcome(Cost(wall, cpu, 500_000_000), tokens, digest, {".index": "i", ".metadata": "m"})


def test_the_ways_take_turns() -> None:
    turns: list[str] = []

    def way(name: str) -> Outcome:
        turns.append(name)
        return outcome(1, 1)

    found = rounds(2, {name: partial(way, name) for name in ("a", "b")}, lambda line: None)
    assert turns == ["a", "b", "a", "b"]
    assert {name: len(outcomes) for name, outcomes in found.items()} == {"a": 2, "b": 2}


def test_the_comparison_tells_medians_ratios_and_that_the_bytes_are_the_same() -> None:
    script, stage = [outcome(one, 20) for one in (11, 10, 90)], [outcome(one, 2) for one in (0.4, 0.5, 0.6)]
    told = tables.comparison(script, stage, 100).splitlines()

    assert told[2].startswith("| datatrove's own steps | 11.0 (10.0–90.0) | 20.0 (20.0–20.0) | 500 | 9.1 | 5.0 |")
    assert told[3].endswith("| 200.0 | 50.0 | 2,000,000 | identical |")
    assert told[4].startswith("| ratio | 22.0× | 10.0× | 1.0× |")


def test_one_different_round_is_told() -> None:
    script, stage = [outcome(1, 1)] * 2, [outcome(1, 1), outcome(1, 1, "other")]

    assert "DIFFERENT" in tables.comparison(script, stage, 1)
    assert "| 2 | 1.0 | 1.0 | 500 | 1.0 | 1.00× | DIFFERENT |" in tables.pods({2: stage}, script[0], 1)
    assert not tables.is_identical([script], [stage])
    assert not tables.is_identical([script, stage], [script])
    assert tables.is_identical([script, script], [script])


def test_a_trillion_tokens_are_reckoned_without_start_up() -> None:
    start = outcome(1, 1, tokens=100)
    assert tables.trillion([outcome(5, 37, tokens=1_000_100)], [start]) == pytest.approx(36 * 1e6 / 3600)


def test_a_text_replaces_what_stands_between_its_marks(tmp_path: Path) -> None:
    file = tmp_path / "x.md"
    file.write_text("# x\n<!-- a -->\nold\n<!-- /a -->\nmore\n<!-- b -->\n<!-- /b -->\n")
    documented.write("a", "new\n", file)

    assert file.read_text() == "# x\n<!-- a -->\nnew\n<!-- /a -->\nmore\n<!-- b -->\n<!-- /b -->\n"


def test_the_documentation_has_the_places_that_the_benchmarks_fill() -> None:
    text = documented.PERFORMANCE.read_text()
    for name in ("tokenization", "loader"):
        assert text.count(f"<!-- {name} -->\n") == text.count(f"<!-- /{name} -->") == 1
