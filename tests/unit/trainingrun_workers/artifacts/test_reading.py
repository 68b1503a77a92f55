"""What commands read off a volume, in the process that the pod runs."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

WORKERS = Path(__file__).parents[4] / "workers"


def command(volume: Path, *arguments: str) -> tuple[list[str], dict[str, str]]:
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(WORKERS), "TRAININGRUN_VOLUME": str(volume)}
    return [sys.executable, "-m", "trainingrun_workers", "artifacts", *arguments], environment


def pod(volume: Path, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    words, environment = command(volume, *arguments)
    return subprocess.run(words, env=environment, capture_output=True, check=False, timeout=30)


def told(volume: Path, *arguments: str) -> Any:
    done = pod(volume, *arguments)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def put(path: Path, content: bytes | str = b"") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)


def test_a_file_is_sent_from_a_byte_on(tmp_path: Path) -> None:
    content = bytes(range(256)) * 5000
    put(tmp_path / "artifacts/release/x/model/model.safetensors", content)
    path = "artifacts/release/x/model/model.safetensors"
    assert pod(tmp_path, "send", path).stdout == content
    assert pod(tmp_path, "send", path, "--offset", "1000001").stdout == content[1000001:]
    assert pod(tmp_path, "send", path, "--offset", str(len(content))).stdout == b""
    beyond = pod(tmp_path, "send", path, "--offset", "1280001")
    assert (beyond.returncode, beyond.stdout) == (78, b"")
    assert b"has only 1280000 bytes" in beyond.stderr


@pytest.mark.parametrize("path", ["artifacts/../secret", "secret", "artifacts", "/etc/passwd", "artifacts/link/file"])
def test_nothing_but_artifacts_and_runs_can_be_read(tmp_path: Path, path: str) -> None:
    put(tmp_path / "secret", "no")
    put(tmp_path / "elsewhere/file", "no")
    (tmp_path / "artifacts").mkdir()
    (tmp_path / "artifacts/link").symlink_to(tmp_path / "elsewhere")
    done = pod(tmp_path, "send", path)
    assert done.returncode in (65, 78)
    assert done.stdout == b"" and done.stderr.count(b"\n") == 1


def test_a_file_that_is_missing_or_none_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "runs/a").mkdir(parents=True)
    os.mkfifo(tmp_path / "runs/a/pipe")
    assert pod(tmp_path, "send", "runs/a/no").stderr == (
        b"runs/a/no can't be read on the volume: No such file or directory.\n"
    )
    assert pod(tmp_path, "send", "runs/a/pipe").stderr == b"runs/a/pipe is no file.\n"


def test_the_logs_of_a_runs_pods_are_listed_with_what_they_are_of(tmp_path: Path) -> None:
    for name in ("sft-it-2-a1-0.log", "pretrain-a2-0.log", "pretrain-a2-0.log.1", "pretrain-a10-1.log", "odd.txt"):
        put(tmp_path / "runs/ns/run-1/logs" / name, "x")
    found = told(tmp_path, "logs", "runs/ns/run-1")["logs"]
    assert [(one["stage"], one["attempt"], one["index"], one["older"]) for one in found] == [
        ("pretrain", 2, 0, True), ("pretrain", 2, 0, False), ("pretrain", 10, 1, False), ("sft-it-2", 1, 0, False),
    ]  # fmt: skip
    assert found[0]["file"] == "runs/ns/run-1/logs/pretrain-a2-0.log.1"
    assert told(tmp_path, "logs", "runs/ns/other") == {"logs": []}


def test_the_lines_of_several_logs_come_in_the_order_of_their_times_with_their_logs_numbers(tmp_path: Path) -> None:
    one, two = "runs/ns/run-1/logs/pretrain-a1-0.log", "runs/ns/run-1/logs/pretrain-a1-1.log"
    put(
        tmp_path / one, "2026-11-29T01:00:00.000001Z a\n2026-11-29T01:00:02.000000Z c\n2026-11-29T01:00:01.000000Z late"
    )
    put(tmp_path / two, "2026-11-29T01:00:01.500000Z b\n")
    assert pod(tmp_path, "lines", one, two).stdout.decode().splitlines() == [
        "0 2026-11-29T01:00:00.000001Z a", "1 2026-11-29T01:00:01.500000Z b", "0 2026-11-29T01:00:02.000000Z c",
        "0 2026-11-29T01:00:01.000000Z late",
    ]  # fmt: skip
    assert pod(tmp_path, "lines", one, two, "--since", "2026-11-29T01:00:01.5").stdout.decode().splitlines() == [
        "1 2026-11-29T01:00:01.500000Z b", "0 2026-11-29T01:00:02.000000Z c",
    ]  # fmt: skip


def test_a_curve_is_summed_up_and_thinned_where_it_lies(tmp_path: Path) -> None:
    lines = [{"step": n, "loss": 9 - n / 1000, "learningRate": 1e-3, "gradientNorm": None, "tokens": n * 10} for n in
             range(1, 5001)]  # fmt: skip
    put(tmp_path / "artifacts/pretrain/x/metrics.jsonl", "".join(json.dumps(one) + "\n" for one in lines))
    found = told(tmp_path, "curves", "artifacts/pretrain/x", "artifacts/pretrain/none", "--points", "100")
    one = found["artifacts/pretrain/x"]
    assert one["summary"] == {"steps": 5000, "tokens": 50000, "firstLoss": 8.999, "lastLoss": 4.0, "bestLoss": 4.0}
    assert set(one["series"]) == {"loss", "learningRate"}
    assert len(one["series"]["loss"]) == 100
    assert one["series"]["loss"][0] == [1, 8.999, 10]
    assert one["series"]["loss"][-1] == [5000, 4.0, 50000]
    assert found["artifacts/pretrain/none"] == {"summary": {}, "series": {}}


def test_the_scores_of_an_evaluate_stage(tmp_path: Path) -> None:
    document = {"model": "step-00000300", "main": {"arc": "acc"}, "tasks": {"arc": {"acc": 0.25, "acc_norm": 0.3}}}
    put(tmp_path / "artifacts/evaluate/x/step-00000300.json", json.dumps(document))
    put(tmp_path / "artifacts/evaluate/x/torn.json", '{"model": ')
    put(tmp_path / "artifacts/evaluate/x/COMPLETE.json", "{}")
    put(tmp_path / "artifacts/evaluate/x/progression.json", '{"steps": []}')
    assert told(tmp_path, "scores", "artifacts/evaluate/x", "artifacts/evaluate/none") == {
        "artifacts/evaluate/x": {"progression": {"steps": []}, "models": {"step-00000300": {"arc/acc": 0.25}}},
        "artifacts/evaluate/none": {"progression": None, "models": {}},
    }


def test_a_pod_that_waits_ends_at_once_when_it_is_told_to(tmp_path: Path) -> None:
    words, environment = command(tmp_path, "wait", "60")
    process = subprocess.Popen(words, env=environment)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(1.5)
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == 0
