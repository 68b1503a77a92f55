"""`python -m trainingrun_workers`, run as a process, with stages of the test's own."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dead_volume import dead
from trainingrun_workers.__main__ import MODULES, pod_index
from trainingrun_workers.contract import SPECS, ConvertSpec, Result, RunReference, StageInput

WORKERS = Path(__file__).parents[4] / "workers"
# Puts a stage of the test's own in the place of the convert stage, then runs the entry as a pod does.
DRIVER = """
import sys, types
module = types.ModuleType("trainingrun_workers.convert")
source = sys.argv.pop()
exec(source, module.__dict__)
sys.modules["trainingrun_workers.convert"] = module
from trainingrun_workers.__main__ import MODULES, main
MODULES["convert"] = "convert"
sys.exit(main(sys.argv[1:]))
"""
IMPORTS = """
import errno, os, subprocess, time
from trainingrun_workers.contract import Result
from trainingrun_workers.errors import *
"""


class Pod:
    """A pod that works on a volume of its own."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.volume = root / "volume"
        self.volume.mkdir()
        spec = ConvertSpec("pretrain", (300,), "tokenizer", 0.1)
        stage_input = StageInput(
            RunReference("ns", "run", "uid"), "convert", "convert", 1, "f", "runs/run", None, 1.0, 5.0, spec
        )
        (root / "input.json").write_text(stage_input.to_json())
        self.environment = {
            "PATH": os.environ["PATH"], "PYTHONPATH": str(WORKERS), "TRAININGRUN_VOLUME": str(self.volume),
            "TRAININGRUN_INPUT": str(root / "input.json"), "TRAININGRUN_TERMINATION_LOG": str(root / "last"),
            "PYTHONUNBUFFERED": "1",
        }  # fmt: skip

    def start(self, body: str, kind: str = "convert") -> subprocess.Popen[str]:
        source = IMPORTS + "def run(stage_input, volume, reporter):\n    " + body
        return subprocess.Popen(
            [sys.executable, "-c", DRIVER, kind, source], env=self.environment, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    def end(self, process: subprocess.Popen[str]) -> tuple[Result, str, str]:
        output, errors = process.communicate(timeout=30)
        result = Result.from_text((self.root / "last").read_text())
        assert result is not None
        assert result.exit_code == process.returncode, output + errors
        return result, output, errors

    def run(self, body: str, kind: str = "convert") -> tuple[Result, str, str]:
        return self.end(self.start(body, kind))


@pytest.fixture
def pod(tmp_path: Path) -> Pod:
    return Pod(tmp_path)


def test_every_kind_has_a_module() -> None:
    assert set(MODULES) == set(SPECS)


def test_a_stages_result_is_the_termination_message_and_lies_on_the_volume(pod: Pod) -> None:
    pod.environment["JOB_COMPLETION_INDEX"] = "4"
    result, output, _ = pod.run("return Result(0, 'Completed', 'All is done.', 900, {'files': ['x' * 90] * 90})")
    assert (result.reason, result.message, result.step, result.output) == ("Completed", "All is done.", 900, {})
    kept = json.loads((pod.volume / "runs/run/results/convert-a1-4.json").read_text())
    assert len(kept["output"]["files"]) == 90
    assert output.splitlines()[-1].endswith("convert INFO Completed: All is done.")
    assert (pod.volume / "runs/run/snapshots/convert-a1-4.json").is_file()


def test_a_foreseen_failure_is_its_sentence_and_exit_code(pod: Pod) -> None:
    result, _, errors = pod.run("raise BadData('SourceMissing', 'There is no data: put some.')")
    assert (result.exit_code, result.reason, result.message) == (65, "SourceMissing", "There is no data: put some.")
    assert "Traceback" not in errors


def test_a_full_volume_is_told_by_any_write(pod: Pod) -> None:
    result, _, _ = pod.run("raise OSError(errno.ENOSPC, 'No space left', '/volume/x')")
    assert (result.exit_code, result.reason) == (75, "VolumeFull")


def test_a_crash_is_a_sentence_and_a_traceback_in_the_log(pod: Pod) -> None:
    result, _, errors = pod.run("return {}['weights']")
    assert (result.exit_code, result.reason) == (1, "Crashed")
    assert result.message == "The stage crashed with KeyError: 'weights'; see the pod's log."
    assert errors.count("Traceback") == 1
    assert (pod.volume / "runs/run/results/convert-a1-0.json").is_file()


def until_it_reports(pod: Pod) -> None:
    snapshot = pod.volume / "runs/run/snapshots/convert-a1-0.json"
    deadline = time.monotonic() + 20
    while not snapshot.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(0.2)


def test_a_pod_that_is_told_to_stop_ends_as_preempted(pod: Pod) -> None:
    process = pod.start("reporter.update(activity='ready'); time.sleep(60)")
    until_it_reports(pod)
    process.send_signal(signal.SIGTERM)
    result, _, errors = pod.end(process)
    assert (result.exit_code, result.reason) == (143, "Preempted")
    assert "Traceback" not in errors


@pytest.mark.parametrize("body", ["time.sleep(60)", "(volume.root / 'more').write_text('never')"])
def test_a_pod_whose_volume_answers_nothing_any_more_ends_and_says_so(pod: Pod, body: str) -> None:
    pod.environment |= {"TRAININGRUN_VOLUME_SECONDS": "3", "TRAININGRUN_NODE_NAME": "gpu-a"}
    process = pod.start(f"time.sleep(1); subprocess.Popen(['sleep', '60']); {body}")
    until_it_reports(pod)
    with dead(pod.volume):
        result, _, errors = pod.end(process)
    assert (result.exit_code, result.reason) == (75, "VolumeSilent")
    assert result.message.startswith("The volume has answered nothing for 3 s on node gpu-a: ")
    assert "Thread" in errors, "where each thread stood"


def test_a_pod_whose_volume_is_dead_from_the_start_ends_and_says_so(pod: Pod) -> None:
    pod.environment |= {"TRAININGRUN_VOLUME_SECONDS": "1"}
    with dead(pod.volume):
        result, _, _ = pod.run("return None")
    assert (result.exit_code, result.reason) == (75, "VolumeSilent")


def test_a_stage_may_take_longer_than_a_volume_that_answers(pod: Pod) -> None:
    pod.environment |= {"TRAININGRUN_VOLUME_SECONDS": "3"}
    result, _, _ = pod.run("time.sleep(5); return Result(0, 'Completed', 'All is done.')")
    assert result.reason == "Completed"


def test_a_missing_volume_is_one_sentence(pod: Pod) -> None:
    pod.environment["TRAININGRUN_VOLUME"] = str(pod.root / "none")
    result, _, errors = pod.run("return None")
    assert (result.exit_code, result.reason) == (78, "VolumeMissing")
    assert "Traceback" not in errors


def test_a_missing_input_is_one_sentence(pod: Pod) -> None:
    (pod.root / "input.json").unlink()
    result, _, _ = pod.run("return None")
    assert (result.exit_code, result.reason) == (78, "InputMissing")


def test_a_torn_input_is_one_sentence(pod: Pod) -> None:
    (pod.root / "input.json").write_text('{"contract": 1')
    result, _, _ = pod.run("return None")
    assert (result.exit_code, result.reason) == (78, "InputInvalid")


def test_an_input_of_another_kind_is_refused(pod: Pod) -> None:
    result, _, _ = pod.run("return None", kind="sft")
    assert result.reason == "InputInvalid"
    assert "is for a convert stage, but sft was called for" in result.message


def test_an_image_without_the_stages_engine_is_told(pod: Pod) -> None:
    code = "import sys; sys.modules['torch'] = None\n" + DRIVER.replace(
        'MODULES["convert"] = "convert"', 'MODULES["convert"] = "no_such_engine"'
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, "convert", ""], env=pod.environment, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    result, _, _ = pod.end(process)
    assert (result.exit_code, result.reason) == (78, "WrongImage")
    assert "no_such_engine" in result.message


def test_a_place_without_termination_log_still_ends_with_its_code(pod: Pod) -> None:
    pod.environment["TRAININGRUN_TERMINATION_LOG"] = str(pod.root / "none/last")
    process = pod.start("return Result(0, 'Completed', 'All is done.')")
    output, _ = process.communicate(timeout=30)
    assert process.returncode == 0
    assert "could not be written" in output


def test_an_unknown_kind_is_refused_with_those_there_are() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "trainingrun_workers", "bake"], env={"PYTHONPATH": str(WORKERS)}, check=False, text=True,
        capture_output=True,
    )  # fmt: skip
    assert done.returncode == 78
    assert "tokenize" in done.stderr


@pytest.mark.parametrize(
    ("environment", "index"),
    [
        ({}, 0),
        ({"JOB_COMPLETION_INDEX": "3"}, 3),
        ({"PET_NODE_RANK": "2", "RANK": "1"}, 2),
        ({"RANK": "1"}, 1),
        ({"JOB_COMPLETION_INDEX": "", "RANK": "1"}, 1),
    ],
)
def test_the_pods_index_is_that_of_its_job_or_gang(environment: dict[str, str], index: int) -> None:
    assert pod_index(environment) == index
