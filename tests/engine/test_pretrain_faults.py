"""What ends a pretrain stage early: each leaves a sentence, the right exit code and no half of a checkpoint."""

import json
import os
import re
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from dead_volume import dead
from engine.pretrain_runs import RUN_FOLDER, PretrainRun, kill, wait_until
from engine.slow_disk import slow_disk
from trainingrun_workers.volume import mark_complete

EnginePython = Callable[[str], Path]


@contextmanager
def small_volume(path: Path, options: str) -> Iterator[None]:
    """A file system of its own, as a claim is; needs root, as the project's other tests do."""
    path.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(path)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(path)], check=True)


def test_a_stop_saves_the_step_it_was_at_and_the_next_attempt_goes_on_from_there(pair: PretrainRun) -> None:
    pair.spec["checkpoint_every"] = 10_000
    pod = pair.start()
    wait_until(lambda: (pair.folder / "metrics.jsonl").is_file() and bool(pair.curve()))
    pod.process.send_signal(signal.SIGTERM)
    result = pod.wait()

    assert (result.exit_code, result.reason) == (143, "Preempted")
    assert result.step == pair.store.newest()
    assert result.step, "a step after the first checkpoint"

    pair.end_early(result.step + 5)
    assert pair.run().reason == "Completed"
    steps = [line["step"] for line in pair.curve()]
    assert steps == sorted(set(steps))
    assert steps[-1] == result.step + 5


def test_a_stop_before_anything_is_trained_counts_as_a_stop(run: PretrainRun) -> None:
    pod = run.start()
    wait_until(lambda: bool(pod.ranks()))
    pod.process.send_signal(signal.SIGTERM)

    assert pod.wait().exit_code == 143


def test_a_killed_rank_is_tried_again_from_a_whole_checkpoint(pair: PretrainRun) -> None:
    pod = pair.start()
    pair.until_trained(pod, 10)
    kill(pod.ranks()[1])
    result = pod.wait()

    assert (result.exit_code, result.reason) == (75, "RankLost")
    assert "ended without a word" in result.message
    assert pair.store.set_torn_aside() == ()
    newest = pair.store.newest()
    assert newest is not None
    assert result.step == newest

    pair.end_early(newest + 5)
    assert pair.run().reason == "Completed"
    first, second = (pair.volume / RUN_FOLDER / f"logs/pretrain-a{attempt}-0.log" for attempt in (0, 1))
    assert "Z [rank 0] " in first.read_text()
    assert "ended without a word" in first.read_text()
    assert " step " in second.read_text()


def test_a_hang_is_noticed_and_the_stacks_are_kept(pair: PretrainRun) -> None:
    pair.spec |= {"hang_timeout": 5, "checkpoint_every": 2000}  # in a save a rank may be silent for much longer
    pod = pair.start()
    wait_until(lambda: " step 10/" in pod.log.read_text())
    os.kill(pod.ranks()[0], signal.SIGSTOP)
    result = pod.wait()

    assert (result.exit_code, result.reason) == (75, "Hang")
    stacks = [pair.volume / RUN_FOLDER / f"stacks/pretrain-a0-n0-r{rank}.txt" for rank in (0, 1)]
    assert all("loop.py" in path.read_text() for path in stacks)
    assert not pod.ranks()


def test_a_long_save_is_no_hang(pair: PretrainRun, tmp_path: Path) -> None:
    pair.config["tokens"]["train_steps"] = 12
    pair.spec |= {"hang_timeout": 5, "checkpoint_every": 12}
    result = pair.run(**slow_disk(tmp_path / "slow", 0.15))

    assert result.reason == "Completed"
    saves = [float(words) for words in re.findall(r"Saved step \d+ in ([0-9.]+) s", pair.pods[-1].log.read_text())]
    assert len(saves) == 2
    assert min(saves) > 6
    assert not (pair.volume / RUN_FOLDER / "stacks").exists()


def test_a_full_volume_is_tried_again_and_goes_on_when_there_is_room(
    engine_python: EnginePython, tmp_path: Path
) -> None:
    with small_volume(tmp_path / "volume", "size=640k"):
        run = PretrainRun(engine_python("nanotron"), tmp_path)
        result = run.run()
        assert (result.exit_code, result.reason) == (75, "VolumeFull")
        assert result.step == run.store.newest() == 0
        assert "make room on the claim" in result.message

        subprocess.run(["mount", "-o", "remount,size=64m", str(run.volume)], check=True)
        assert run.run().reason == "Completed"


def test_a_save_that_runs_out_of_room_halfway_leaves_nothing_behind(
    engine_python: EnginePython, tmp_path: Path
) -> None:
    with small_volume(tmp_path / "volume", "size=64m,nr_inodes=110"):
        run = PretrainRun(engine_python("nanotron"), tmp_path)
        result = run.run()

        assert (result.exit_code, result.reason) == (75, "VolumeFull")
        assert run.checkpoints() == [f"step-{step:08d}" for step in run.store.complete()]


def test_a_gang_whose_volume_dies_in_a_save_ends_and_the_next_goes_on_once_it_is_back(pair: PretrainRun) -> None:
    pod = pair.start(TRAININGRUN_VOLUME_SECONDS="8")
    pair.until_trained(pod, 10)
    ranks = pod.ranks()
    with dead(pair.volume):
        result = pod.wait(60)
        assert (result.exit_code, result.reason) == (75, "VolumeSilent")
        wait_until(lambda: not any(Path(f"/proc/{rank}/exe").exists() for rank in ranks))
    newest = pair.store.newest()
    assert newest is not None
    pair.end_early(newest + 5)
    assert pair.run().reason == "Completed"


def test_a_loss_that_is_no_number_is_refused(run: PretrainRun) -> None:
    run.config["optimizer"]["learning_rate_scheduler"] |= {"learning_rate": 1e38, "lr_warmup_steps": 1}
    result = run.run()

    assert (result.exit_code, result.reason) == (65, "NonFiniteLoss")
    assert "lower the learning rate" in result.message
    assert result.step in (1, 2, 3), "the step that had it"
    assert run.store.complete() == (0,)


def test_a_key_that_nanotron_does_not_know_is_refused(run: PretrainRun) -> None:
    run.config["optimizer"]["adam_gamma"] = 1
    result = run.run()

    assert (result.exit_code, result.reason) == (78, "BadEngineConfig")
    assert "adam_gamma" in result.message


def test_a_token_outside_the_vocabulary_is_refused(run: PretrainRun) -> None:
    run.config["model"]["model_config"]["vocab_size"] = 60
    result = run.run()

    assert (result.exit_code, result.reason) == (65, "TokenOutOfVocabulary")


def test_tokens_that_are_not_complete_are_refused(run: PretrainRun) -> None:
    (run.volume / "tokens/it/COMPLETE.json").unlink()
    result = run.run()

    assert (result.exit_code, result.reason) == (65, "TokensMissing")
    mark_complete(run.volume / "tokens/it", {"tokens": 1})
    assert run.run().reason == "TokensTorn"


def test_a_master_that_never_comes_is_tried_again(engine_python: EnginePython, tmp_path: Path) -> None:
    run = PretrainRun(engine_python("nanotron"), tmp_path, nodes=2)
    nowhere = {"PET_MASTER_ADDR": "master.invalid", "TRAININGRUN_RENDEZVOUS_SECONDS": "1"}
    result = run.start(node=1, **nowhere).wait()

    assert (result.exit_code, result.reason) == (75, "MasterUnreachable")


def test_a_gang_that_is_not_complete_in_time_is_tried_again(engine_python: EnginePython, tmp_path: Path) -> None:
    run = PretrainRun(engine_python("nanotron"), tmp_path, nodes=2)
    alone = {"PET_MASTER_ADDR": "127.0.0.1", "PET_MASTER_PORT": "29641", "TRAININGRUN_RENDEZVOUS_SECONDS": "2"}
    result = run.start(node=0, **alone).wait()

    assert (result.exit_code, result.reason) == (75, "RendezvousFailed")
    assert json.loads((run.volume / RUN_FOLDER / "results/pretrain-a0-0.json").read_text())["reason"] == result.reason
