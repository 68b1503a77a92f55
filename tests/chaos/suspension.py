"""A run suspended in each of its stages, and resumed."""

import time

import yaml

from chaos.records import FREE, Record, given
from chaos.world import EVERY, PATIENCE, Training, World
from e2e.trial import QUICKSTART


def suspended_in_every_stage(world: World) -> list[Record]:
    """A whole run with a variant, suspended once in each stage as soon as a pod of it runs."""
    with world.training("stages", 6 * EVERY) as training:
        training.spec["variants"] = yaml.safe_load(QUICKSTART.read_text())["spec"]["variants"][:1]
        names = ["tokenize", "pretrain", "convert", "evaluate", "sft-translate", "release-translate"]
        training.apply()
        records = [_suspended(training, name) for name in names]
        training.until_phase("Succeeded", PATIENCE)
        whole = training.curve() == list(range(1, training.steps + 1))
        return [given(one, whole) for one in records]


def _suspended(training: Training, stage: str) -> Record:
    watch = training.world.watch

    def at_work() -> bool:
        pods = watch.pods(training.name, stage)
        return any(pod.running_at and not pod.free_at for pod in pods)

    def over() -> bool:
        return bool(watch.run(training.name).stage(stage).get("phase") == "Succeeded")

    watch.wait(f"a pod of {stage} runs", at_work, PATIENCE)
    at = time.time()
    training.patch({"suspend": True})
    watch.wait("no pod is left", lambda: all(pod.free_at for pod in watch.pods(training.name)), PATIENCE)
    figures = {FREE: max(pod.free_at or 0.0 for pod in watch.pods(training.name)) - at}
    training.until_phase("Suspended", 60)
    at = time.time()
    training.patch({"suspend": False})
    watch.wait(f"{stage} goes on", lambda: at_work() or over(), PATIENCE)
    figures["resumed after"] = time.time() - at
    return Record(f"suspended in {stage.partition('-')[0]}", True, figures)
