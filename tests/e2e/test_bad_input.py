"""Bad input is refused or told in one sentence in `kubectl describe`, nothing is lost, and a mended run goes on."""

from collections.abc import Callable

import pytest

from e2e import volume
from e2e.installation import CommandError, apply, get, helm, kubectl, named, wait_until
from e2e.trial import NAMESPACE, Trial

Make = Callable[..., Trial]


def goes_on(run: Trial, stage: str = "tokenize") -> None:
    """The mended run gets past the stage, as the same object with its history."""
    run.apply()
    run.until_stage(stage, "Succeeded", 120)


def test_a_misspelt_field_is_refused(trial: Make) -> None:
    run = trial("misspelt")
    run.spec["pretrain"]["nodez"] = 2
    assert "nodez" in run.refusal()


def test_a_name_too_long_for_the_objects_made_from_it_is_refused(trial: Make) -> None:
    assert "32 characters" in trial("n" * 33).refusal()


def test_a_world_size_that_does_not_fit_is_told_and_mended(trial: Make) -> None:
    run = trial("world-size")
    run.spec["pretrain"]["config"]["parallelism"]["dp"] = 3
    try:
        run.apply()
    except CommandError as refusal:  # either the API server or the first pass says it
        message = str(refusal)
    else:
        message = run.until_stalled("InvalidSpec")
    assert "3" in message
    assert "nodes" in message
    run.spec["pretrain"]["config"]["parallelism"]["dp"] = 2
    goes_on(run)


def test_an_unknown_nanotron_key_is_told_and_mended(trial: Make) -> None:
    run = trial("nanotron-key")
    tokens = run.spec["pretrain"]["config"]["tokens"]
    tokens["micro_batch_sise"] = tokens.pop("micro_batch_size")
    run.apply()
    assert "micro_batch_size" in run.until_stalled("InvalidSpec")
    tokens["micro_batch_size"] = tokens.pop("micro_batch_sise")
    goes_on(run)


def test_an_unknown_axolotl_key_is_told(trial: Make) -> None:
    run = trial("axolotl-key")
    config = {"datasets": [{"path": "sft/conversations.jsonl", "type": "chat_template"}], "learning_rat": 1}
    run.spec["variants"] = [{"name": "v", "stages": [{"sft": {"gpusPerNode": 0, "config": config}}]}]
    run.apply()
    assert "learning_rate" in run.until_stalled("InvalidSpec")


def test_a_missing_source_is_told_and_mended(trial: Make) -> None:
    run = trial("no-source")
    run.spec["data"][0]["path"] = "raw/nowhere"
    run.apply()
    assert "raw/nowhere" in run.until_stalled("SourceMissing", 90)
    run.spec["data"][0]["path"] = "raw/en"
    goes_on(run)
    assert run.stage("tokenize")["attempt"] == 2


def test_an_empty_and_a_corrupt_parquet_are_told(trial: Make, data: volume.Visit) -> None:
    data.sh("mkdir -p bad/corrupt bad/empty && head -c 2000 raw/en/$(ls raw/en | head -1) > bad/corrupt/cut.parquet")
    corrupt, empty = trial("corrupt"), trial("empty")
    corrupt.spec["data"][0]["path"] = "bad/corrupt"
    empty.spec["data"][0]["path"] = "bad/empty"
    corrupt.apply()
    empty.apply()
    assert "cut.parquet" in corrupt.until_stalled("SourceCorrupt", 90)
    assert "bad/empty" in empty.until_stalled("SourceEmpty", 90)


def test_a_wrong_text_key_names_the_columns_there_are(trial: Make) -> None:
    run = trial("text-key")
    run.spec["data"][0]["textKey"] = "contents"
    run.apply()
    message = run.until_stalled("TextKeyMissing", 90)
    assert "contents" in message
    assert "text" in message


def test_a_missing_tokenizer_is_told(trial: Make) -> None:
    run = trial("tokenizer")
    run.spec["tokenizer"]["path"] = "no/tokenizer"
    run.apply()
    assert "no/tokenizer" in run.until_stalled("TokenizerMissing", 90)


def test_a_vocabulary_that_does_not_fit_the_model_is_told(trial: Make) -> None:
    run = trial("vocabulary")
    run.spec["pretrain"]["config"]["model"]["model_config"]["vocab_size"] = 1000
    run.apply()
    assert "4,096" in run.until_stalled("VocabularyTooLarge", 90)


def test_a_claim_that_does_not_exist_is_waited_for(trial: Make, images: dict[str, str]) -> None:
    run = trial("no-claim", claim="later")
    run.apply()
    assert "later" in run.until_stalled("ClaimMissing")
    apply(volume.claim("later", NAMESPACE))
    run.until_stage("tokenize", "Running", 60)


def test_a_claim_too_small_for_the_estimate_is_told(trial: Make, images: dict[str, str]) -> None:
    apply(volume.claim("small", NAMESPACE, "100Ki"))
    volume_pod = volume.visitor(
        "fill-small", NAMESPACE, "small", images["quickstart-data"], ["cp", "-r", "/data/.", "/volume/"]
    )
    apply(volume_pod)
    wait_until(
        "the small claim is filled",
        lambda: get("pod", "fill-small", "-n", NAMESPACE)["status"]["phase"] == "Succeeded",
        60,
    )
    run = trial("small-claim", claim="small")
    run.apply()
    assert "use a larger claim" in run.until_stalled("ClaimTooSmall", 90)


def test_a_claim_for_one_node_is_refused_to_a_gang(trial: Make) -> None:
    apply(volume.claim("one-node", NAMESPACE, mode="ReadWriteOnce"))
    run = trial("one-node", claim="one-node")
    run.apply()
    assert "ReadWriteMany" in run.until_stalled("ClaimNotShared")


def test_an_image_that_cannot_be_pulled_is_told_and_mended_by_the_values(trial: Make, images: dict[str, str]) -> None:
    good = named(images)
    helm({"images": good | {"tokenize": "localhost/no-such-image:1"}})
    try:
        run = trial("no-image")
        run.apply()
        assert "no-such-image" in run.until_stalled("ImagePullFailed", 90)
    finally:
        helm({"images": good})
    run.until_stage("tokenize", "Succeeded", 120)


@pytest.mark.long  # the unit tests of waiting have it; that an image is missing is told above
def test_a_gang_whose_image_is_gone_gives_back_its_nodes_and_trains_when_it_is_there(
    trial: Make, images: dict[str, str]
) -> None:
    good = named(images)
    helm({"images": good | {"pretrain": "localhost/no-such-image:1"}})
    run = trial("no-gang-image", steps=30, seed=103)
    run.spec["pretrain"]["recovery"]["schedulingTimeout"] = "10s"
    try:
        run.apply()
        run.until("its first gang has ended", lambda: "NotStarted" in causes(run), 180)
        run.until("no pod of it is left", lambda: not run.pods("pretrain"), 25)
        assert "no-such-image" in run.until_stalled("ImagePullFailed", 5)
    finally:
        helm({"images": good})
    run.until_stage("pretrain", "Succeeded", 240)
    assert run.stage("pretrain").get("restarts", 0) == 0


def causes(run: Trial) -> list[str | None]:
    return [one.get("cause") for one in run.status().get("attempts", []) if one["stage"] == "pretrain"]


def test_a_quota_that_refuses_pods_is_told_and_waited_out(trial: Make) -> None:
    quota = {"metadata": {"name": "none", "namespace": NAMESPACE}, "spec": {"hard": {"pods": "1"}}}
    apply({"apiVersion": "v1", "kind": "ResourceQuota"} | quota)
    try:
        wait_until(
            "the quota counts", lambda: get("resourcequota", "none", "-n", NAMESPACE).get("status", {}).get("hard"), 30
        )
        run = trial("quota")
        run.spec["data"][0]["limit"] = 99
        run.apply()
        assert "quota" in run.until_stalled("PodsRefused", 90)
    finally:
        kubectl("delete", "resourcequota", "none", "-n", NAMESPACE)
    run.until_stage("tokenize", "Succeeded", 240)


def test_two_runs_that_make_the_same_share_it_and_never_write_it_at_once(trial: Make) -> None:
    first, second = trial("first", steps=210, seed=101), trial("second", steps=210, seed=101)
    first.apply()
    first.until_stage("pretrain", "Running", 120)
    second.apply()
    second.until(
        "it waits for the first",
        lambda: (
            second.stage("pretrain").get("reason") == "FolderInUse" and "first" in second.stage("pretrain")["message"]
        ),
        120,
    )
    first.until_stage("pretrain", "Succeeded", 240)
    second.until_stage("pretrain", "Succeeded", 120)
    assert second.stage("pretrain")["folder"] == first.stage("pretrain")["folder"]


def test_a_cluster_without_the_pytorchjob_kind_is_told_and_goes_on_when_it_is_there(trial: Make) -> None:
    kind = kubectl("get", "crd", "pytorchjobs.kubeflow.org", "-o", "json")
    kubectl("delete", "crd", "pytorchjobs.kubeflow.org", "--timeout=60s")
    try:
        run = trial("no-kind")
        run.apply()
        assert "training-operator" in run.until_stalled("PyTorchJobMissing", 120)
    finally:
        kubectl("create", "--save-config=false", "-f", "-", stdin=kind)
        kubectl("rollout", "restart", "deployment", "-n", "kubeflow", "training-operator")
        kubectl("rollout", "status", "deployment", "-n", "kubeflow", "training-operator", "--timeout=120s", timeout=150)
    run.until_stage("pretrain", "Running", 120)
