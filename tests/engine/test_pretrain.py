"""The pretrain stage with nanotron itself: what it learns, what it leaves, and that a resumed run is the same run."""

import json
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from engine.pretrain_runs import BATCH, RUN_FOLDER, SEQUENCE, STEPS, PretrainRun, make_tokens
from trainingrun_workers.contract import Answer, DataSource, DataStage, Snapshot
from trainingrun_workers.pretrain.checkpoints import sizes
from trainingrun_workers.volume import mark_complete, read_marker

EnginePython = Callable[[str], Path]


def again(trained: PretrainRun, root: Path) -> PretrainRun:
    """A copy of a run's volume that lacks the stage's marker."""
    run = PretrainRun(trained.python, root, ranks=trained.ranks)
    shutil.copytree(trained.folder, run.folder)
    (run.folder / "COMPLETE.json").unlink()
    return run


def test_the_loss_falls_and_the_stage_says_what_it_did(trained: PretrainRun) -> None:
    output = read_marker(trained.folder)

    assert output is not None
    assert [line["step"] for line in trained.curve()] == list(range(1, STEPS + 1))
    assert output["loss"] == trained.curve()[-1]["loss"] < output["firstLoss"] - 1
    assert output["steps"] == STEPS
    assert output["checkpoints"] == [0, 4, 8, 12]
    assert output["tokens"] == sum(output["tokensBySource"].values()) == STEPS * BATCH * SEQUENCE
    assert output["cpuStandIns"] is True
    assert output["engine"]["wheel"].startswith("0c1834e9")


def test_the_learning_rate_follows_the_schedule(trained: PretrainRun) -> None:
    rates = [line["learningRate"] for line in trained.curve()]

    assert rates[:5] == pytest.approx([0, 0.01 / 3, 0.02 / 3, 0.01, 0.01])
    assert rates[8:] == pytest.approx([0.01, 0.0075025, 0.005005, 0.0025075])


def test_a_checkpoint_holds_what_its_marker_lists(trained: PretrainRun) -> None:
    folder = trained.folder / "checkpoints/step-00000008"
    marker = read_marker(folder)

    assert marker is not None
    assert marker["files"] == sizes(folder)
    assert marker["tokens"] == 8 * BATCH * SEQUENCE
    assert json.loads((folder / "model_config.json").read_text())["hidden_size"] == 32
    assert (folder / "model/model/decoder/1/pp_block/attn/qkv_proj").is_dir()
    assert not (folder / "model/model/lm_head").exists()


def test_each_checkpoint_says_how_many_tokens_of_each_source_it_was_trained_on(
    engine_python: EnginePython, tmp_path: Path
) -> None:
    run = PretrainRun(engine_python("nanotron"), tmp_path)
    make_tokens(run.volume / "tokens/code", 2000, 3)
    weights = {"en": 40, "it": 40, "code": 20}
    sources = tuple(DataSource(name, f"tokens/{name}", weight) for name, weight in weights.items())
    run.spec["data"] = (DataStage("all", 1, 6, sources),)
    output = run.run().output

    for step in (0, 4, 8, 12):
        counted = run.store.marker(step)["tokensBySource"]
        assert sum(counted.values()) == run.store.marker(step)["tokens"] == step * BATCH * SEQUENCE
        for name, weight in weights.items():
            assert abs(counted[name] - weight / 100 * step * BATCH * SEQUENCE) < 3 * SEQUENCE
    assert output["tokensBySource"] == counted
    assert output["tokensLeftOut"] == {"en": 5999 % SEQUENCE, "it": 2999 % SEQUENCE, "code": 1999 % SEQUENCE}
    assert f"Source code: 2,000 tokens in {1999 // SEQUENCE} windows" in run.pods[0].log.read_text()


def test_the_last_report_tells_the_end(trained: PretrainRun) -> None:
    snapshot = Snapshot.from_dict(
        json.loads((trained.volume / RUN_FOLDER / "snapshots/pretrain-a0-0.json").read_text())
    )

    assert (snapshot.step, snapshot.total, snapshot.checkpoint, snapshot.checkpoints) == (12, 12, 12, (0, 4, 8, 12))
    assert snapshot.loss == trained.curve()[-1]["loss"]
    assert snapshot.tokens == STEPS * BATCH * SEQUENCE
    assert snapshot.tokens_per_second and snapshot.eta_seconds == 0


def test_a_resumed_run_is_bit_for_bit_the_uninterrupted_one(trained: PretrainRun, tmp_path: Path) -> None:
    run = again(trained, tmp_path)
    for step in (8, 12):
        shutil.rmtree(run.folder / f"checkpoints/step-{step:08d}")

    assert run.run().reason == "Completed"
    assert run.curve() == trained.curve()
    assert [run.weights(step) for step in (8, 12)] == [trained.weights(step) for step in (8, 12)]


def test_a_torn_checkpoint_is_set_aside_and_made_again(trained: PretrainRun, tmp_path: Path) -> None:
    run = again(trained, tmp_path)
    torn = run.folder / "checkpoints/step-00000012/optimizer/optimizer_config.json"
    torn.write_bytes(torn.read_bytes()[:10])
    (run.folder / "checkpoints/step-00000008/COMPLETE.json").unlink()

    assert run.run().reason == "Completed"
    assert run.checkpoints() == [
        "step-00000000", "step-00000004", "step-00000008", "step-00000012",
        "torn-step-00000008-0", "torn-step-00000012-0",
    ]  # fmt: skip
    assert run.weights(12) == trained.weights(12)


def test_a_done_stage_is_not_done_again(trained: PretrainRun) -> None:
    trained.attempt += 1
    before = (trained.folder / "metrics.jsonl").stat().st_mtime_ns

    assert trained.run().output == read_marker(trained.folder)
    assert (trained.folder / "metrics.jsonl").stat().st_mtime_ns == before


@pytest.mark.parametrize("trained", [2], ids=["dp2"], indirect=True)
def test_two_nodes_train_what_one_node_with_two_ranks_trains(
    trained: PretrainRun, engine_python: EnginePython, tmp_path: Path
) -> None:
    run = PretrainRun(engine_python("nanotron"), tmp_path, ranks=1, nodes=2)
    master = {"PET_MASTER_ADDR": "127.0.0.1", "PET_MASTER_PORT": "29637"}
    pods = [run.start(node=node, **master) for node in (1, 0)]

    assert [pod.wait().reason for pod in pods] == ["Completed", "Completed"]
    assert [line["loss"] for line in run.curve()] == [line["loss"] for line in trained.curve()]


def test_a_pipeline_of_two_ranks_trains_as_well(engine_python: EnginePython, tmp_path: Path) -> None:
    run = PretrainRun(engine_python("nanotron"), tmp_path, ranks=2)
    run.config["parallelism"] |= {"dp": 1, "pp": 2}
    run.config["tokens"]["batch_accumulation_per_replica"] = 2

    assert run.run().reason == "Completed"
    losses = [line["loss"] for line in run.curve()]
    assert losses[-1] < losses[0] - 1


def test_unconverted_checkpoints_outlast_keep_last(engine_python: EnginePython, tmp_path: Path) -> None:
    run = PretrainRun(engine_python("nanotron"), tmp_path)
    run.spec |= {"checkpoint_every": 2, "keep_last": 1, "evaluate_every": 4, "converted": "artifacts/convert/bbbb"}
    for step in (0, 4):
        folder = run.volume / f"artifacts/convert/bbbb/step-{step:08d}"
        folder.mkdir(parents=True)
        mark_complete(folder, {})

    assert run.run().output["checkpoints"] == [8, 12]
    assert run.checkpoints() == ["step-00000008", "step-00000012"]


def test_what_the_operator_says_while_it_trains_decides_what_is_kept(
    engine_python: EnginePython, tmp_path: Path
) -> None:
    with operator(Answer(keep_last=1, keep_every=10, keep=(4,))) as url:
        run = PretrainRun(engine_python("nanotron"), tmp_path, report_url=url)
        run.spec |= {"checkpoint_every": 2, "keep_last": 3}
        assert run.run().output["checkpoints"] == [0, 4, 10, 12]

    later = PretrainRun(run.python, tmp_path / "later", report_url="http://127.0.0.1:1/")  # it doesn't answer
    later.spec = run.spec
    shutil.copytree(run.volume / RUN_FOLDER, later.volume / RUN_FOLDER)
    assert later.run().output["checkpoints"] == [0, 4, 10, 12], "as it was last said"


@contextmanager
def operator(answer: Answer) -> Iterator[str]:
    """A server that gives an answer to each report; yields its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:  # noqa: N802
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.end_headers()
            self.wfile.write(answer.to_json().encode())

        def log_message(self, *arguments: object) -> None:
            return

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/report"
        server.shutdown()
        thread.join()


def test_the_stand_ins_refuse_to_load_where_a_gpu_is_visible(engine_python: EnginePython) -> None:
    program = """
import torch
torch.cuda.is_available = lambda: True
from trainingrun_workers import cpu_stand_ins
from trainingrun_workers.errors import BadConfig
synchronize = torch.cuda.synchronize
try:
    cpu_stand_ins.install()
except BadConfig as error:
    assert torch.cuda.synchronize is synchronize
    print(error.reason, error.message)
"""
    command = [str(engine_python("nanotron")), "-c", program]
    workers = Path(__file__).parents[2] / "workers"
    done = subprocess.run(command, env={"PYTHONPATH": str(workers)}, check=True, capture_output=True, text=True)

    assert done.stdout.startswith("GpuVisible The CPU stand-ins are not for machines with a GPU")
