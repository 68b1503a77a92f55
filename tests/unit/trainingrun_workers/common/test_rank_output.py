"""Real processes that print into real pipes."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from trainingrun_workers.rank_output import RankOutput

WORKERS = Path(__file__).parents[4] / "workers"
RANK = """
import os, sys
from pathlib import Path
from trainingrun_workers.rank_output import print_into
print_into(Path(sys.argv[1]))
"""
Capture = pytest.CaptureFixture[str]


def rank(folder: Path, number: int, body: str, output: int | None = None) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", RANK + body, str(folder / f"{number}.out")]
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(WORKERS)}
    return subprocess.Popen(command, env=environment, stdout=output, stderr=output)


def test_each_line_has_its_ranks_number_and_lines_never_mix(tmp_path: Path, capsys: Capture) -> None:
    body = "for n in range(3000): sys.stdout.write(f'{n} of {sys.argv[1][-5]} ' + 'x' * 200 + '\\n')"
    with RankOutput(tmp_path, (2, 3)) as output:
        for one in [rank(tmp_path, number, body, output.descriptor) for number in (2, 3)]:
            assert one.wait(30) == 0
    lines = capsys.readouterr().out.splitlines()
    for number in (2, 3):
        own = [line for line in lines if line.startswith(f"[rank {number}] ")]
        assert own == [f"[rank {number}] {n} of {number} {'x' * 200}" for n in range(3000)]
    assert len(lines) == 6000


def test_the_last_words_of_a_rank_that_is_killed_are_shown(tmp_path: Path, capsys: Capture) -> None:
    body = "os.write(2, b'terminate called after throwing'); os.abort()"
    with RankOutput(tmp_path, (0,)) as output:
        assert rank(tmp_path, 0, body, output.descriptor).wait(30) == -6
    assert capsys.readouterr().out == "[rank 0] terminate called after throwing\n"


def test_what_is_printed_before_the_rank_knows_its_pipe_is_shown_without_a_number(
    tmp_path: Path, capsys: Capture
) -> None:
    with RankOutput(tmp_path, (0,)) as output:
        os.write(output.descriptor, b"torchrun says\n")
    assert capsys.readouterr().out == "torchrun says\n"


def test_a_rank_prints_on_where_nobody_listens_to_the_pod(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as broken:
        monkeypatch.setattr(sys, "stdout", broken)
        with RankOutput(tmp_path, (0,)) as output:
            one = rank(
                tmp_path, 0, "print('x' * 300_000, flush=True); print('y' * 300_000, flush=True)", output.descriptor
            )
            assert one.wait(30) == 0
        monkeypatch.undo()
        try:
            broken.flush()
        except BrokenPipeError:
            pass


def test_a_rank_without_such_a_pipe_prints_where_it_did(tmp_path: Path) -> None:
    one = rank(tmp_path, 0, "print('as ever')", subprocess.PIPE)
    assert one.communicate(timeout=30)[0] == b"as ever\n"
