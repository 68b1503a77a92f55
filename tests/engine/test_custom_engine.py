"""The engine that docs/engine-contract.md is written around, run as it stands there, without code of this package."""

import dataclasses
import hashlib
import json
import os
import shutil
import subprocess
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, Final

import pytest

from documented import engine_source
from engine.pretrain_runs import FOLDER, RUN_FOLDER, Pod, make_tokens, wait_until
from engine.release_runs import spec as release_spec
from engine.stage_runs import EXAMPLE, StageRun
from trainingrun_workers.contract import (
    Answer,
    ConvertSpec,
    DataSource,
    DataStage,
    PretrainSpec,
    Result,
    RunReference,
    Snapshot,
    StageInput,
)
from trainingrun_workers.pretrain.checkpoints import Checkpoints
from trainingrun_workers.volume import read_marker

EnginePython = Callable[[str], Path]
STEPS: Final = 6
MASTER_PORT: Final = "29647"  # not one that the system gives away to whoever connects
CONVERTED: Final = "artifacts/convert/bbbb"
MODEL: Final = {
    "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4,
    "bos_token_id": 0, "eos_token_id": 1,
}  # fmt: skip


class CustomRun:
    """A pretrain stage by the documented engine, on a volume of its own; each `start` is an attempt."""

    def __init__(self, python: Path, root: Path, **spec: Any) -> None:
        self.python, self.root, self.volume, self.attempt = python, root, root / "volume", 0
        self.report_url: str | None = None
        make_tokens(self.volume / "tokens/en", 3000, 1)
        make_tokens(self.volume / "tokens/it", 2000, 2)
        (root / "engine.py").write_text(engine_source())
        sources = (DataSource("en", "tokens/en", 0.6), DataSource("it", "tokens/it", 0.4))
        known = PretrainSpec(
            config={"model": MODEL, "learning_rate": 0.01}, data=(DataStage("all", 1, 42, sources),), token_bytes=2,
            total_steps=STEPS, tokens_per_step=512, nodes=1, processes_per_node=1, cpu=True, checkpoint_every=2,
            keep_last=2, keep_every=None, evaluate_every=6, converted=CONVERTED, hang_timeout=60.0, engine="custom",
            sequence_length=64, vocab_size=4096,
        )  # fmt: skip
        self.spec = dataclasses.replace(known, **spec)

    @property
    def store(self) -> Checkpoints:
        return Checkpoints(self.volume / FOLDER / "checkpoints")

    def start(self) -> Pod:
        self.attempt += 1
        return self._pod({})

    def start_gang(self) -> list[Pod]:
        """An attempt of two pods, told of each other as Kubeflow tells them."""
        self.attempt += 1
        gang = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": MASTER_PORT, "GLOO_SOCKET_IFNAME": "lo"}
        return [self._pod(gang | {"WORLD_SIZE": "2", "RANK": str(rank)}) for rank in range(2)]

    def start_by_torchrun(self) -> Pod:
        """An attempt of one pod with two processes."""
        self.attempt += 1
        return self._pod({}, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2")

    def _pod(self, gang: dict[str, str], *launcher: str) -> Pod:
        own = self.root / f"pod-{self.attempt}-{gang.get('RANK', 0)}"
        own.mkdir()
        stage_input = StageInput(
            run=RunReference("here", "tiny", "uid-1"), stage="pretrain", kind="pretrain", attempt=self.attempt,
            folder=FOLDER, run_folder=RUN_FOLDER, report_url=self.report_url, report_seconds=0.2, grace_seconds=30,
            spec=self.spec,
        )  # fmt: skip
        (own / "input.json").write_text(stage_input.to_json())
        # Nothing of this package is on its path.
        variables = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        variables |= {
            "TRAININGRUN_VOLUME": str(self.volume), "TRAININGRUN_INPUT": str(own / "input.json"),
            "TRAININGRUN_TERMINATION_LOG": str(own / "words.json"), "OMP_NUM_THREADS": "1", "TMPDIR": str(own),
        } | gang  # fmt: skip
        with (own / "log").open("wb") as log:
            command = [str(self.python), *launcher, str(self.root / "engine.py")]
            process = subprocess.Popen(command, env=variables, stdout=log, stderr=subprocess.STDOUT)
        return Pod(process, own / "words.json", own / "log")

    def run(self) -> Result:
        return self.start().wait()

    def until_saved(self, pod: Pod, step: int) -> None:
        wait_until(lambda: (self.store.newest() or 0) >= step or pod.process.poll() is not None)
        assert pod.process.poll() is None, pod.log.read_text()[-4000:]

    def weights(self, step: int) -> str:
        return hashlib.sha256((self.store.path(step) / "hf/model.safetensors").read_bytes()).hexdigest()


@pytest.fixture(scope="module")
def python(engine_python: EnginePython) -> Path:
    return engine_python("nanotron")


@pytest.fixture(scope="module")
def whole(python: Path, tmp_path_factory: pytest.TempPathFactory) -> CustomRun:
    """A run to the end without interruption; not to be changed."""
    run = CustomRun(python, tmp_path_factory.mktemp("whole"))
    assert run.run().reason == "Completed"
    return run


def test_it_trains_to_its_end_and_keeps_what_is_still_to_be_converted(whole: CustomRun) -> None:
    assert whole.store.complete() == (0, 4, 6), "step 0 waits to be converted; step 2 was replaced"
    assert whole.store.set_torn_aside() == ()
    output = read_marker(whole.volume / FOLDER) or {}
    assert output["checkpoints"] == [0, 4, 6]
    lines = [json.loads(line) for line in (whole.volume / FOLDER / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == list(range(1, STEPS + 1))
    assert lines[-1]["loss"] < lines[0]["loss"]


def test_a_stage_that_is_done_is_not_done_again(whole: CustomRun) -> None:
    result = whole.run()
    assert (result.exit_code, result.output["checkpoints"]) == (0, [0, 4, 6])


def test_killed_it_goes_on_from_its_checkpoint_to_the_same_bits(whole: CustomRun, tmp_path: Path) -> None:
    run = CustomRun(whole.python, tmp_path, total_steps=100_000, keep_last=1000)
    pod = run.start()
    run.until_saved(pod, 4)
    pod.end()
    for step in run.store.complete():
        if step > 4:  # what it had time for beyond
            shutil.rmtree(run.store.path(step))
    run.spec = dataclasses.replace(run.spec, total_steps=STEPS)
    assert run.run().reason == "Completed"
    assert run.weights(STEPS) == whole.weights(STEPS)
    lines = (run.volume / FOLDER / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == list(range(1, STEPS + 1))


def test_its_reports_are_snapshots_and_the_answer_says_what_stays(whole: CustomRun, tmp_path: Path) -> None:
    run, told = CustomRun(whole.python, tmp_path, total_steps=100_000), []

    class Operator(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            told.append(Snapshot.from_dict(json.loads(self.rfile.read(int(self.headers["Content-Length"])))))
            self.send_response(200)
            self.end_headers()
            self.wfile.write(Answer(keep_last=1, keep_every=50, keep=(4,)).to_json().encode())

        def log_message(self, *_: object) -> None:
            """Nothing, so that the test's own output stays readable."""

    with HTTPServer(("127.0.0.1", 0), Operator) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        run.report_url = f"http://127.0.0.1:{server.server_port}/"
        pod = run.start()
        run.until_saved(pod, 60)
        pod.process.terminate()
        last = pod.wait().step
        server.shutdown()
    assert {one.activity for one in told} <= {"loading", "saving", "training"}
    assert (told[-1].uid, told[-1].attempt, told[-1].total) == ("uid-1", 1, 100_000)
    assert told[-1].step > told[0].step
    assert {0, 50} <= set(told[-1].checkpoints)
    kept = set(run.store.complete())
    assert {0, 50, last} <= kept, "the untrained one waits to be converted"
    assert len({step for step in kept if step > 50 and step % 50 and step % 6}) <= 1, "keep_last 1"


def test_told_to_stop_it_saves_and_says_143(python: Path, tmp_path: Path) -> None:
    run = CustomRun(python, tmp_path, total_steps=100_000, checkpoint_every=50)
    pod = run.start()
    run.until_saved(pod, 50)
    pod.process.terminate()
    result = pod.wait()
    assert (result.exit_code, result.reason, result.step) == (143, "Preempted", run.store.newest())


def test_two_pods_train_the_same_model_as_one(whole: CustomRun, tmp_path: Path) -> None:
    run = CustomRun(whole.python, tmp_path)
    results = [pod.wait() for pod in run.start_gang()]
    assert [(one.reason, one.step) for one in results] == [("Completed", STEPS)] * 2
    assert results[0].output == results[1].output
    alone, both = (losses(one.volume) for one in (whole, run))
    assert both == pytest.approx(alone, rel=1e-4)
    assert len(list((run.volume / FOLDER / "claims").iterdir())) == 1


def test_a_pod_of_two_processes_trains_the_same_model_as_one(whole: CustomRun, tmp_path: Path) -> None:
    run = CustomRun(whole.python, tmp_path)
    result = run.start_by_torchrun().wait()
    assert (result.reason, result.step) == ("Completed", STEPS)
    assert losses(run.volume) == pytest.approx(losses(whole.volume), rel=1e-4)


def test_a_gang_of_which_one_pod_is_told_to_stop_saves_once_and_all_say_where(python: Path, tmp_path: Path) -> None:
    run = CustomRun(python, tmp_path, total_steps=100_000, checkpoint_every=50)
    pods = run.start_gang()
    run.until_saved(pods[0], 50)
    pods[1].process.terminate()
    results = [pod.wait() for pod in pods]
    assert [one.reason for one in results] == ["Preempted"] * 2
    assert {one.step for one in results} == {run.store.newest()}


def test_a_gang_whose_pod_is_killed_ends_and_the_next_goes_on_to_the_same_losses(
    whole: CustomRun, tmp_path: Path
) -> None:
    run = CustomRun(whole.python, tmp_path, total_steps=100_000, keep_last=1000)
    pods = run.start_gang()
    run.until_saved(pods[0], 4)
    pods[1].end()
    assert (pods[0].wait().exit_code, pods[0].wait().reason) == (75, "PeerLost")
    for step in run.store.complete():
        if step > 4:
            shutil.rmtree(run.store.path(step))
    run.spec = dataclasses.replace(run.spec, total_steps=STEPS)
    assert [pod.wait().reason for pod in run.start_gang()] == ["Completed"] * 2
    assert losses(run.volume) == pytest.approx(losses(whole.volume), rel=1e-4)


def test_a_gang_that_does_not_divide_the_batch_has_a_sentence(python: Path, tmp_path: Path) -> None:
    run = CustomRun(python, tmp_path, tokens_per_step=192)
    assert {pod.wait().message for pod in run.start_gang()} == {"The 3 samples of a step don't divide by 2."}


def losses(volume: Path) -> list[float]:
    """The curve's."""
    return [json.loads(line)["loss"] for line in (volume / FOLDER / "metrics.jsonl").read_text().splitlines()]


def test_a_torn_checkpoint_is_passed_over(whole: CustomRun, tmp_path: Path) -> None:
    run = CustomRun(whole.python, tmp_path)
    shutil.rmtree(run.volume)
    shutil.copytree(whole.volume, run.volume)
    (run.volume / FOLDER / "COMPLETE.json").unlink()
    with (run.store.path(6) / "state.pt").open("r+b") as file:
        file.truncate(100)
    run.attempt = whole.attempt
    assert run.run().reason == "Completed"
    assert run.weights(6) == whole.weights(6)
    assert any(path.name.startswith("aside-") for path in run.store.folder.iterdir())


def test_an_attempt_whose_folder_was_claimed_by_a_later_one_ends(whole: CustomRun, tmp_path: Path) -> None:
    run = CustomRun(whole.python, tmp_path)
    claims = run.volume / FOLDER / "claims"
    claims.mkdir(parents=True)
    (claims / "00000001.json").write_text(json.dumps({"uid": "uid-1", "attempt": 2}))
    result = run.run()
    assert (result.exit_code, result.reason) == (75, "Fenced")
    assert run.store.complete() == ()


def test_a_configuration_that_it_does_not_take_is_78(python: Path, tmp_path: Path) -> None:
    result = CustomRun(python, tmp_path, config={"model": MODEL}).run()
    assert (result.exit_code, result.reason) == (78, "BadConfig")
    assert "learning_rate" in result.message


@pytest.fixture
def convert(whole: CustomRun, tmp_path: Path) -> StageRun:
    shutil.copytree(whole.volume, tmp_path / "volume")
    shutil.copytree(EXAMPLE / "tokenizer", tmp_path / "volume/tokenizer")
    return StageRun(whole.python, "convert", tmp_path / "volume", CONVERTED)


WANTED: Final = ConvertSpec(pretrain=FOLDER, steps=(6,), tokenizer="tokenizer", tolerance=0.01)


def test_its_export_is_compared_copied_and_released(convert: StageRun, engine_python: EnginePython) -> None:
    result = convert.run(WANTED)
    assert result.reason == "Completed", result.message
    figures = read_marker(convert.volume / CONVERTED / "step-00000006") or {}
    assert (figures["argmaxAgreement"], figures["cpuStandIns"]) == (1.0, False)
    assert figures["maxLogitDifference"] < 1e-4
    exported = convert.volume / FOLDER / "checkpoints/step-00000006/hf/model.safetensors"
    assert (convert.volume / CONVERTED / "step-00000006/model.safetensors").read_bytes() == exported.read_bytes()

    release = StageRun(engine_python("lm-eval"), "release", convert.volume, "artifacts/release/cccc")
    made = {"pretrain": {"engine": "custom", "folder": FOLDER, "steps": 6, "tokensPerStep": 512, "seed": 42}}
    done = release.run(
        release_spec(model=f"{CONVERTED}/step-00000006", evaluation=None, evaluated_as=None, provenance=made)
    )
    assert done.reason == "Completed", done.message
    card = (convert.volume / "artifacts/release/cccc/model/README.md").read_text()
    assert "| engine | tiny 1 |" in card


def test_an_export_that_differs_from_the_engines_own_logits_is_refused(convert: StageRun) -> None:
    damage = (
        "import sys; from safetensors.torch import load_file, save_file; file = sys.argv[1]; w = load_file(file); "
        "w['model.embed_tokens.weight'] += 1; save_file(w, file, metadata={'format': 'pt'})"
    )
    file = convert.volume / FOLDER / "checkpoints/step-00000006/hf/model.safetensors"
    subprocess.run([str(convert.python), "-c", damage, str(file)], check=True)
    result = convert.run(WANTED)
    assert (result.exit_code, result.reason) == (65, "ConversionUnfaithful")


def test_a_torn_export_and_a_missing_one_have_a_sentence(convert: StageRun) -> None:
    checkpoint = convert.volume / FOLDER / "checkpoints/step-00000006"
    marker = json.loads((checkpoint / "COMPLETE.json").read_text())
    (checkpoint / "hf/config.json").unlink()
    result = convert.run(WANTED)
    assert (result.exit_code, result.reason) == (65, "CheckpointTorn")
    assert "hf/config.json" in result.message
    del marker["files"]["hf/config.json"]
    (checkpoint / "COMPLETE.json").write_text(json.dumps(marker))
    result = convert.run(WANTED)
    assert (result.exit_code, result.reason) == (65, "CheckpointUnknown")
    assert "docs/engine-contract.md" in result.message
