"""What a run may not be and what may not change, one table for Python and for the API server alike."""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from builders import a_manifest
from manifest_changes import (
    A_JUDGE,
    A_SOURCE,
    DELETED,
    INTERVAL,
    OTHER,
    SFT,
    Manifest,
    both,
    chained,
    confusable,
    custom,
    drop,
    elsewhere,
    judged,
    named,
    put,
    report_sized,
    seventeen_stages,
    stage_of,
    two_kinds,
)


@dataclass(frozen=True)
class Case:
    """A change to the quickstart, and a part of the sentence that refuses it; None where it is accepted."""

    name: str
    change: Callable[[Manifest], Any]
    refused: str | None = None
    in_python: str | None = None  # where Python words it otherwise

    def manifest(self) -> Manifest:
        """The changed manifest."""
        manifest = a_manifest()
        self.change(manifest)
        return manifest


RUNS = (
    Case("the quickstart", lambda _: None),
    Case("a run of the report's size", report_sized),
    Case("a name of 32 characters", named("a" * 32)),
    Case("a name of 33 characters", named("a" * 33), "use at most 32 characters"),
    Case("a name with a dot", named("zagreus-0.4b"), "begin it with a letter"),
    Case("a name that begins with a digit", named("4b-ita"), "begin it with a letter"),
    Case("a claim of its own", put("storage", {"claim": {"size": "10Ti", "storageClassName": "fast"}})),
    Case("no claim", put("storage", {}), "Give either claimName"),
    Case(
        "two claims", put("storage", {"claimName": "a", "claim": {"size": "1Gi"}}), "Give either claimName"
    ),
    Case("a claim that is deleted with the run", put("storage", DELETED)),
    Case("a claim of the user's that would be deleted", put("storage.deletionPolicy", "Delete"), "give claim instead"),
    Case("a claim of the user's that is retained", put("storage.deletionPolicy", "Retain")),
    Case("a claim without a unit that is known", put("storage", {"claim": {"size": "10TB"}}), "should match", "match"),
    Case("an unquoted number of CPUs", put("tokenize.resources", {"requests": {"cpu": 2}})),
    Case("a toleration", put("pretrain.tolerations", [{"key": "gpu", "operator": "Exists", "tolerationSeconds": 5}])),
    Case(
        "a toleration with a misspelt operator", put("pretrain.tolerations", [{"operator": "exists"}]),
        'supported values: "Exists", "Equal"', "'Exists' or 'Equal'",
    ),
    Case("a tokenizer from the Hub", put("tokenizer.path", "hf://owner/name"), "without a scheme"),
    Case("a tokenizer outside of the volume", put("tokenizer.path", "../x"), "without '..'"),
    Case("a source from the Hub", put("data.0.path", "hf://datasets/owner/name/data")),
    Case("a source from S3 with a Secret", both(put("data.0.path", "s3://bucket/raw"), put("data.0.secretName", "s3"))),
    Case("a Secret for a folder on the volume", put("data.0.secretName", "s3"), "secretName is given for a folder"),
    Case("two Secrets for one kind of address", elsewhere("s3 one", "s3 other"), "name different Secrets"),
    Case("two Secrets for the Hub", elsewhere("hf one", "s3 other", "hf other"), "name different Secrets"),
    Case("a Secret for each kind of address", elsewhere("s3 one", "s3 one", "hf other")),
    Case("a source with a Secret beside one that is open to all", elsewhere("hf one", "hf")),
    Case("a filter by language score", put("data.0.languageScore", {"key": "score", "min": 0.65})),
    Case("a filter by a whole number", put("data.0.languageScore", {"min": 3})),
    Case("a filter without a lowest score", put("data.0.languageScore", {"key": "score"}), "min: Required", "min\n"),
    Case("a source with an unknown scheme", put("data.0.path", "gs://bucket/x"), "an hf:// or s3:// address"),
    Case("a source outside of the volume", put("data.0.path", "raw/../../x"), "write it without '..'"),
    Case("a source with dots in its name", put("data.0.path", "raw/v1..2/en")),
    Case("two sources with one name", put("data.-", A_SOURCE), "Duplicate value", "Two sources have the same name"),
    Case("no source", put("data", []), "should have at least 1 items", "at least 1 item"),
    Case("a weight of nothing", put("data.0.weight", 0), "should be greater than 0", "greater than 0"),
    Case(
        "evaluation of checkpoints that are not written", put("pretrain.checkpoints.every", 200),
        "a multiple of pretrain.checkpoints.every",
    ),
    Case("evaluation of every third checkpoint", put("pretrain.checkpoints.every", 100)),
    Case(
        "evaluation of checkpoints that nanotron does not write", put(INTERVAL, 200),
        "a multiple of pretrain.config.checkpoints.checkpoint_interval",
    ),
    Case("the run's own interval before nanotron's", both(put(INTERVAL, 200), put("pretrain.checkpoints.every", 100))),
    Case("an interval without evaluation", both(put(INTERVAL, 200), drop("evaluate"))),
    Case(
        "retention of checkpoints that are not written", put("pretrain.checkpoints", {"every": 100, "keepEvery": 150}),
        "make it a multiple of every",
    ),
    Case("tasks from elsewhere", put("evaluate.taskFolder", "s3://bucket/tasks"), "without a scheme"),
    Case("data sets from elsewhere", put("evaluate.datasetFolder", "hf://datasets/x"), "without a scheme"),
    Case("data sets outside of the volume", put("evaluate.datasetFolder", "../datasets"), "without a scheme"),
    Case("a task set", both(drop("evaluate.tasks"), put("evaluate.taskSets", ["it", "pt-leaderboard"]))),
    Case("a task set beside tasks", put("evaluate.taskSets", ["ifeval"])),
    Case("a task set that nobody knows", put("evaluate.taskSets", ["klingon"]), "Unsupported value", "Input should be"),
    Case("a task set given twice", put("evaluate.taskSets", ["it", "it"]), "name each once"),
    Case("no task", put("evaluate.tasks", []), "give taskSets, tasks, or both"),
    Case("neither tasks nor sets", drop("evaluate.tasks"), "give taskSets, tasks, or both"),
    Case(
        "two tasks with one name", put("evaluate.tasks.-", {"name": "held_out_it", "fewshot": 3}),
        "Duplicate value", "Two tasks have the same name",
    ),
    Case("other models to compare with", put("evaluate.compareWith", [OTHER, OTHER | {"name": "Qwen3-0.6B-Base"}])),
    Case(
        "two comparison models with one name", put("evaluate.compareWith", [OTHER, OTHER]),
        "Duplicate value", "Two models of compareWith have the same name",
    ),
    Case("a comparison model from elsewhere", put("evaluate.compareWith", [OTHER | {"path": "hf://a/b"}]),
         "without a scheme"),
    Case(
        "a comparison model whose name can't stand in a table", put("evaluate.compareWith", [OTHER | {"name": "a|b"}]),
        "should match", "should match",
    ),
    Case(
        "more comparison models than a table takes",
        put("evaluate.compareWith", [OTHER | {"name": f"other-{number}"} for number in range(17)]),
        "must have at most 16 items", "at most 16 items",
    ),
    Case(
        "two variants with one name", lambda run: run["spec"]["variants"].append(run["spec"]["variants"][0]),
        "Duplicate value", "Two variants have the same name",
    ),
    Case("a variant's stage of no kind", put("variants.0.stages.0", {}), "give it one of sft, dpo, cpt"),
    Case("a variant's stage of two kinds", two_kinds, "give it one of sft, dpo, cpt"),
    Case("a chain of three stages", chained("sft", "dpo", "sft")),
    Case("continued pretraining before fine-tuning", chained("cpt", "sft")),
    Case("a variant of another model", put("variants.0.base", {"path": "models/zagreus"})),
    Case("a variant of a model from elsewhere", put("variants.0.base", {"path": "hf://a/b"}), "without a scheme"),
    Case("a variant of a model outside the volume", put("variants.0.base", {"path": "../other"}), "without '..'"),
    Case("a variant of a model without a place", put("variants.0.base", {}), "base.path: Required", "Field required"),
    Case("a chain of seven stages", chained(*["sft"] * 7), "must have at most 6 items", "at most 6 items"),
    Case("a chain without a stage", put("variants.0.stages", []), "at least 1 item", "at least 1 item"),
    Case(
        "a name of 11 characters over two stages of a kind",
        both(chained("sft", "sft"), put("variants.0.name", "a" * 11)),
        "use at most 10 characters",
    ),
    Case("a name of 12 characters over two kinds", both(chained("sft", "dpo"), put("variants.0.name", "a" * 12))),
    Case("a variant that is called as another's second stage", confusable, "give one of them another name"),
    Case("more stages than the status has room for", seventeen_stages, "more than 16 stages in all"),
    Case(
        "several nodes for DPO without GPUs", both(chained("sft", "dpo"), put("variants.0.stages.1.dpo.nodes", 2)),
        "Axolotl trains on CPU in one process",
    ),
    Case(
        "a variant with too long a name", put("variants.0.name", "a" * 13), "may not be more than 12", "at most 12 char"
    ),
    Case("a judge of base, variant and another model", put("judge", A_JUDGE)),
    Case("a judge's prompts from elsewhere", put("judge", A_JUDGE | {"prompts": "s3://bucket/prompts.jsonl"}),
         "prompts is a file on the run's volume"),
    Case("a judged model from elsewhere", put("judge", judged({"name": "other", "path": "hf://Qwen/Qwen3-0.6B"})),
         "The path of a judged model"),
    Case("two judged models with one name", put("judge", judged({"name": "base", "path": "models/base"})),
         "Duplicate value", "Two judged models have the same name"),
    Case("a judged model that nobody makes", put("judge", judged({"name": "instruct"})),
         "names a model that the run doesn't make"),
    Case("a judge of a base that may be a variant", both(put("judge", A_JUDGE), lambda run: run["spec"]["variants"]
         .append(run["spec"]["variants"][0] | {"name": "base"})), "A variant is called base"),
    Case("a judge of one model", put("judge", A_JUDGE | {"between": [{"name": "base"}]}), "at least 2 items"),
    Case("messages about some of what happens", put("notifications", {"events": ["Failed"], "silence": "90m"})),
    Case("messages about what does not happen", put("notifications", {"events": ["Lost"]}), "nsupported value",
         "should be 'Finished'"),
    Case("a silence that is over at once", put("notifications", {"silence": "30s"}), "should match", "should match"),
    Case("a world that is too small", put("pretrain.nodes", 3), "gpusPerNode give 3", "give 3"),
    Case("a world of GPUs that is too large", drop("pretrain.gpusPerNode"), "gpusPerNode give 16", "give 16"),
    Case(
        "a world that fits", both(put("pretrain.gpusPerNode", 4), put("pretrain.config.parallelism.dp", 8))
    ),
    Case("several nodes for Axolotl without GPUs", put(f"{SFT}.nodes", 2), "Axolotl trains on CPU in one process"),
    Case("a misspelt field", put("pretrain.gpuPerNode", 8), 'unknown field "spec.pretrain.gpuPerNode"', "gpuPerNode"),
    Case("a field of no stage", put("pretraining", {}), 'unknown field "spec.pretraining"', "pretraining"),
    Case("no pretraining", drop("pretrain"), "spec.pretrain: Required value", "pretrain\n  Field required"),
    Case("an engine of the user's own", custom(args=["--x"], env={"NCCL_DEBUG": "WARN"}, seed=7)),
    Case("a custom engine without a word of it", put("pretrain.engine", "custom"), "give custom with engine: custom"),
    Case("another engine with custom", both(custom(), put("pretrain.engine", "torch")), "with no other engine"),
    Case("no engine with custom", both(custom(), drop("pretrain.engine")), "with no other engine"),
    Case("a custom engine without an interval", both(custom(), drop("pretrain.checkpoints")), "give checkpoints.every"),
    Case(
        "a custom engine that is to choose its interval", both(custom(), put("pretrain.checkpoints.interval", "auto")),
        "leave checkpoints.interval out",
    ),
    Case("a custom engine without its steps", custom(steps=None), "steps: Required value", "steps"),
    Case("a custom engine without its vocabulary", custom(vocabSize=None), "vocabSize: Required value", "vocabSize"),
    Case("a custom engine that takes half a sample", custom(tokensPerStep=2000), "a multiple of sequenceLength"),
    Case("a custom engine told of another volume", custom(env={"TRAININGRUN_VOLUME": "/"}), "that the operator sets"),
    Case("an image in place of its entry", custom(image="registry.example/x:1"), "should match", "match"),
    Case("an engine of nobody", put("pretrain.engine", "megatron"), 'supported values: "nanotron"', "'nanotron'"),
)  # fmt: skip


@dataclass(frozen=True)
class Edit:
    """A change to a run of which some stages have started."""

    name: str
    started: dict[str, str]  # stages and their phases
    change: Callable[[Manifest], Any]
    refused: str | None = None
    seen_by_the_operator: bool = True  # whether it changes the hash that the operator compares as well
    before: Callable[[Manifest], Any] = lambda manifest: None  # what makes the run out of the quickstart


TOKENIZED = {"tokenize": "Succeeded"}
PRETRAINING = {"tokenize": "Succeeded", "pretrain": "Running"}
TUNING = {"tokenize": "Succeeded", "pretrain": "Succeeded", "convert": "Succeeded", "sft-translate": "Running"}
FIXED_DATA = "can't change once stage tokenize has started"
FIXED_PRETRAIN = "can't change once stage pretrain has started"
A_VARIANT = {"name": "other", "stages": [{"sft": {"nodes": 1, "gpusPerNode": 0, "config": {}}}]}
LEARNING_RATE = "pretrain.config.optimizer.learning_rate_scheduler.learning_rate"
LARGER = both(put("pretrain.nodes", 4), put("pretrain.config.parallelism.dp", 4))


def one_more(manifest: Manifest) -> None:
    """A stage after the one that has started."""
    manifest["spec"]["variants"][0]["stages"].append(stage_of("dpo", manifest))


def before_the_first(manifest: Manifest) -> None:
    """A stage of the same kind before the one that has started, which becomes the second."""
    first = stage_of("sft", manifest)
    first["sft"]["config"]["learning_rate"] = 1e-4
    manifest["spec"]["variants"][0]["stages"].insert(0, first)


def another_variant(manifest: Manifest) -> None:
    """The same fine-tuning under another name."""
    variant = copy.deepcopy(manifest["spec"]["variants"][0])
    manifest["spec"]["variants"].append(variant | {"name": "other"})


EDITS = (
    Edit("anything before the first stage", {}, both(put("tokenizer.path", "other"), LARGER)),
    Edit("another tokenizer", TOKENIZED, put("tokenizer.path", "other"), FIXED_DATA),
    Edit("another tokenizer where tokenize failed", {"tokenize": "Failed"}, put("tokenizer.path", "other")),
    Edit("another text key", TOKENIZED, put("data.0.textKey", "content"), FIXED_DATA),
    Edit("a text key that is the default", TOKENIZED, drop("data.0.textKey")),
    Edit("another glob", TOKENIZED, put("data.0.glob", "*.parquet"), FIXED_DATA),
    Edit("a limit", TOKENIZED, put("data.0.limit", 10), FIXED_DATA),
    Edit("a language score", TOKENIZED, put("data.0.languageScore", {"min": 0.65}), FIXED_DATA),
    Edit("another source", TOKENIZED, put("data.-", {"name": "more", "path": "raw/more"}), FIXED_DATA),
    Edit("a source less", TOKENIZED, drop("data.2"), FIXED_DATA),
    Edit("more shards", TOKENIZED, put("tokenize.shards", 8), FIXED_DATA),
    Edit("more pods that tokenize", TOKENIZED, put("tokenize.parallelism", 4)),
    Edit("other weights before pretraining", TOKENIZED, put("data.0.weight", 0.5)),
    Edit("another learning rate before pretraining", TOKENIZED, put(LEARNING_RATE, 0.001)),
    Edit("other weights", PRETRAINING, put("data.0.weight", 0.5), FIXED_PRETRAIN),
    Edit("another learning rate", PRETRAINING, put(LEARNING_RATE, 0.001), FIXED_PRETRAIN),
    Edit("another learning rate between two attempts", PRETRAINING | {"pretrain": "Waiting"},
         put(LEARNING_RATE, 0.001), FIXED_PRETRAIN),
    Edit("another learning rate of a suspended stage", PRETRAINING | {"pretrain": "Suspended"},
         put(LEARNING_RATE, 0.001), FIXED_PRETRAIN),
    Edit("another learning rate where pretrain failed", PRETRAINING | {"pretrain": "Failed"},
         put(LEARNING_RATE, 0.001)),
    Edit("another seed", PRETRAINING, put("pretrain.config.general.seed", 9), FIXED_PRETRAIN),
    Edit("a larger gang", PRETRAINING, LARGER, FIXED_PRETRAIN),
    Edit("GPUs instead of CPUs", PRETRAINING, both(put("pretrain.nodes", 1), put("pretrain.gpusPerNode", 2)),
         FIXED_PRETRAIN),
    Edit("a section more", PRETRAINING, put("pretrain.config.lighteval", None), FIXED_PRETRAIN, False),
    Edit("another project", PRETRAINING, put("pretrain.config.general.project", "other")),
    Edit("another checkpoint interval", PRETRAINING, put(INTERVAL, 150)),
    Edit("another argument of a custom engine", PRETRAINING, put("pretrain.custom.args", ["--lr=1"]), FIXED_PRETRAIN,
         before=custom()),
    Edit("another entry", PRETRAINING, put("pretrain.custom.image", "other"), FIXED_PRETRAIN, before=custom()),
    Edit("more steps of a custom engine", PRETRAINING, put("pretrain.custom.steps", 1000), FIXED_PRETRAIN,
         before=custom()),
    Edit("what of other engines would change nothing", PRETRAINING, put("pretrain.config.logging", {"x": 1}),
         FIXED_PRETRAIN, before=custom()),
    Edit("a variable of a custom engine", PRETRAINING, put("pretrain.custom.env", {"NCCL_DEBUG": "INFO"}),
         before=custom()),
    Edit("a custom engine in place of nanotron", PRETRAINING, custom(), FIXED_PRETRAIN),
    Edit("retention", PRETRAINING, put("pretrain.checkpoints.keepLast", 9)),
    Edit("recovery", PRETRAINING, put("pretrain.recovery.hangTimeout", "1h")),
    Edit("resources", PRETRAINING, put("pretrain.resources.limits.memory", "5Gi")),
    Edit("placement", PRETRAINING, put("pretrain.nodeSelector", {"gpu": "h200"})),
    Edit("suspension", PRETRAINING, put("suspend", True)),
    Edit("evaluation", PRETRAINING, put("evaluate.tasks.-", {"name": "arc_it"})),
    Edit("no evaluation", PRETRAINING, drop("evaluate")),
    Edit("a release's licence", PRETRAINING, put("release.license", "apache-2.0")),
    Edit("another claim", PRETRAINING, put("storage.claimName", "other"), "spec.storage.claimName can't change", False),
    Edit("a claim of its own", PRETRAINING, put("storage", {"claim": {"size": "1Ti"}}),
         "spec.storage.claimName can't change", False),
    Edit("a claim that is deleted after all", {}, put("storage", DELETED), "spec.storage.deletionPolicy can't change",
         False),
    Edit("the retention that is the default", PRETRAINING, put("storage.deletionPolicy", "Retain")),
    Edit("a variant more", TUNING, another_variant),
    Edit("a judge more", TUNING, put("judge", A_JUDGE)),
    Edit("a variant less", TUNING, put("variants", [])),
    Edit("a variant's learning rate before its stage", PRETRAINING, put(f"{SFT}.config.learning_rate", 1e-4)),
    Edit("a variant's learning rate", TUNING, put(f"{SFT}.config.learning_rate", 1e-4), "A stage of translate"),
    Edit("a stage more in a variant's chain", TUNING, one_more),
    Edit("a stage before a variant's", TUNING, before_the_first, "A stage of translate"),
    Edit("another kind of stage", TUNING, chained("dpo"), "A stage of translate", False),
    Edit("a variant's GPUs", TUNING, put(f"{SFT}.gpusPerNode", 1), "add a variant with another name"),
    Edit("a variant's base", TUNING, put("variants.0.base", {"path": "models/zagreus"}), "A stage of translate"),
    Edit("a variant's base before its stage", PRETRAINING, put("variants.0.base", {"path": "models/zagreus"})),
    Edit("a variant's recovery", TUNING, put(f"{SFT}.recovery.maxRestarts", 7)),
)  # fmt: skip
