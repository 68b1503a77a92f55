"""The same manifest trains by the other engine when one word is changed, or by one of the user's own, for real."""

from collections.abc import Callable

import pytest

from documented import engine_source
from e2e.installation import kubectl
from e2e.test_faults import KILL_RANKS
from e2e.trial import Trial


@pytest.mark.long  # make demo-torch runs the whole chain; tests/engine kills its ranks
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


def test_a_gang_of_the_engine_of_the_documents_survives_a_pods_death_and_is_released(
    trial: Callable[..., Trial],
) -> None:
    run = trial("by-own", steps=300, seed=251)
    run.spec["pretrain"] |= {
        "engine": "custom", "nodes": 2, "gpusPerNode": 0, "checkpoints": {"every": 50, "keepLast": 2},
        "custom": {
            "image": "tiny", "command": ["python", "-c", engine_source()], "steps": 300, "tokensPerStep": 1024,
            "sequenceLength": 128, "vocabSize": 4096, "seed": 251,
        },
        "config": {
            "model": {
                "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4,
                "bos_token_id": 0, "eos_token_id": 1,
            },
            "learning_rate": 0.003,
        },
    }  # fmt: skip
    run.apply()
    run.until("a checkpoint", lambda: (run.stage("pretrain").get("progress") or {}).get("checkpoint"), 180)
    pod = max(one["metadata"]["name"] for one in run.pods("pretrain"))
    kubectl("delete", "pod", "-n", run.namespace, pod, "--wait=false")
    run.until_phase("Succeeded", 300)

    assert run.stage("pretrain")["attempt"] == 2
    (first,) = [one for one in run.status()["attempts"] if (one["stage"], one["number"]) == ("pretrain", 1)]
    assert first["cause"] in ("Preempted", "PodDeleted"), "it saved and ended with 143"
    (last,) = [one for one in run.status()["checkpoints"] if one["step"] == 300]
    assert last["scores"]


def test_an_engine_that_the_values_do_not_name_is_told_at_once(trial: Callable[..., Trial]) -> None:
    run = trial("by-nobody", steps=60)
    run.spec["pretrain"] |= {
        "engine": "custom", "checkpoints": {"every": 20},
        "custom": {"image": "megatron", "steps": 60, "tokensPerStep": 1024, "sequenceLength": 128, "vocabSize": 4096},
    }  # fmt: skip
    run.apply()
    assert "name one of tiny, or" in run.until_stalled("InvalidSpec")
