"""The same manifest trains by the other engine when one word is changed, on the real cluster."""

from collections.abc import Callable

from e2e.installation import kubectl
from e2e.test_faults import KILL_RANKS
from e2e.trial import Trial


def test_a_run_by_the_torch_engine_survives_a_dead_rank_and_is_released(trial: Callable[..., Trial]) -> None:
    run = trial("by-torch", steps=300, seed=241)
    run.spec["pretrain"]["engine"] = "torch"
    run.spec["pretrain"]["config"]["checkpoints"]["checkpoint_interval"] = 50
    run.apply()
    run.until("a checkpoint", lambda: (run.stage("pretrain").get("progress") or {}).get("checkpoint"), 180)
    pod = run.pods("pretrain")[0]["metadata"]["name"]
    kubectl("exec", "-n", run.namespace, pod, "--", "sh", "-c", KILL_RANKS)
    run.until_phase("Succeeded", 300)

    assert run.stage("pretrain")["attempt"] == 2
    (last,) = [one for one in run.status()["checkpoints"] if one["step"] == 300]
    assert last["scores"]
