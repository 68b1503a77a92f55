"""RULES: what the schema alone can't say, each once as CEL for the API server and as Python for everybody else."""

import re
from typing import Final

from trainingrun.api.custom_engine_rules import CUSTOM_RULES
from trainingrun.api.judging import BASE
from trainingrun.api.names import MAX_CHAINED, MAX_REPEATING_NAME, MAX_RUN_NAME, TUNING_KINDS
from trainingrun.api.notes import Note
from trainingrun.api.rule import Rule
from trainingrun.api.rule_checks import (
    ADDRESSES,
    addressed,
    confusable,
    evaluates_engine_steps,
    evaluates_saved_steps,
    fits,
    in_volume,
    inside,
    judges_known_models,
    keeps_saved_steps,
    one_secret_each,
    unique,
)
from trainingrun.api.training_run import TrainingRun

HOST_NAME: Final = "^[a-z]([-a-z0-9]*[a-z0-9])?$"  # of a Service, which every pod of a PyTorchJob has
_IN_VOLUME_CEL: Final = "!{0}.contains('://') && !{0}.split('/').exists(part, part == '..')"
_ONE_SECRET_CEL: Final = (
    "self.filter(one, has(one.secretName) && one.path.startsWith('{0}'))"
    ".all(one, self.all(other, !has(other.secretName) || !other.path.startsWith('{0}') || "
    "other.secretName == one.secretName))"
)
_IN_VOLUME: Final = "{0} is a folder on the run's volume: write it without a scheme and without '..'."

RULES: Final[tuple[Rule, ...]] = (
    Rule(
        "",
        f"size(self.metadata.name) <= {MAX_RUN_NAME}",
        f"The name is too long for the objects made from it: use at most {MAX_RUN_NAME} characters.",
        lambda run: len(run.metadata.name) <= MAX_RUN_NAME,
    ),
    Rule(
        "",
        f"self.metadata.name.matches('{HOST_NAME}')",
        "The name becomes part of host names: begin it with a letter, and use only lower-case letters, digits and '-'.",
        lambda run: re.fullmatch(HOST_NAME, run.metadata.name) is not None,
    ),
    Rule(
        "spec.storage",
        "has(self.claimName) != has(self.claim)",
        "Give either claimName, an existing claim, or claim, one to make.",
        lambda run: (run.spec.storage.claim_name is None) != (run.spec.storage.claim is None),
    ),
    Rule(
        "spec.storage",
        "!has(self.deletionPolicy) || self.deletionPolicy != 'Delete' || has(self.claim)",
        "deletionPolicy Delete is for a claim that the run makes: give claim instead of claimName, or leave it out.",
        lambda run: run.spec.storage.deletion_policy != "Delete" or run.spec.storage.claim is not None,
    ),
    Rule(
        "spec.tokenizer",
        _IN_VOLUME_CEL.format("self.path"),
        _IN_VOLUME.format("path"),
        lambda run: in_volume(run.spec.tokenizer.path),
    ),
    Rule(
        "spec.data",
        None,
        "Two sources have the same name: give each its own.",
        lambda run: unique(source.name for source in run.spec.data),
    ),
    Rule(
        "spec.data[]",
        "!self.path.contains('://') || " + " || ".join(f"self.path.startsWith('{one}')" for one in ADDRESSES),
        "path has a scheme that no reader knows: write a folder on the volume, or an hf:// or s3:// address.",
        lambda run: all(addressed(source.path) for source in run.spec.data),
    ),
    Rule(
        "spec.data[]",
        "!self.path.split('/').exists(part, part == '..')",
        "path leaves the volume: write it without '..'.",
        lambda run: all(inside(source.path) for source in run.spec.data),
    ),
    Rule(
        "spec.data[]",
        "!has(self.secretName) || " + " || ".join(f"self.path.startsWith('{one}')" for one in ADDRESSES),
        "secretName is given for a folder on the volume: leave it out, or write an hf:// or s3:// address as path.",
        lambda run: all(source.secret_name is None or source.path.startswith(ADDRESSES) for source in run.spec.data),
    ),
    Rule(
        "spec.data",
        " && ".join(_ONE_SECRET_CEL.format(one) for one in ADDRESSES),
        "Sources with addresses of one kind name different Secrets, whose keys would hide each other in the pods: give "
        "all hf:// sources one Secret, and all s3:// sources one.",
        one_secret_each,
    ),
    Rule(
        "spec",
        "!has(self.evaluate) || !has(self.evaluate.checkpoints) || !has(self.pretrain.checkpoints) || "
        "!has(self.pretrain.checkpoints.every) || "
        "self.evaluate.checkpoints.every % self.pretrain.checkpoints.every == 0",
        "evaluate.checkpoints.every asks for checkpoints that are never written: make it a multiple of "
        "pretrain.checkpoints.every.",
        lambda run: evaluates_saved_steps(run.spec),
    ),
    Rule(
        "spec",
        "!has(object.spec.evaluate) || !has(object.spec.evaluate.checkpoints) || "
        "(has(object.spec.pretrain.checkpoints) && has(object.spec.pretrain.checkpoints.every)) || "
        "!('checkpoints' in object.spec.pretrain.config) || type(object.spec.pretrain.config.checkpoints) != map || "
        "!('checkpoint_interval' in object.spec.pretrain.config.checkpoints) || "
        "type(object.spec.pretrain.config.checkpoints.checkpoint_interval) != int || "
        "object.spec.pretrain.config.checkpoints.checkpoint_interval < 1 || "
        "object.spec.evaluate.checkpoints.every % object.spec.pretrain.config.checkpoints.checkpoint_interval == 0",
        "evaluate.checkpoints.every asks for checkpoints that are never written: make it a multiple of "
        "pretrain.config.checkpoints.checkpoint_interval.",
        lambda run: evaluates_engine_steps(run.spec),
        untyped=True,
    ),
    Rule(
        "spec.pretrain.checkpoints",
        "!has(self.keepEvery) || !has(self.every) || self.keepEvery % self.every == 0",
        "keepEvery asks for checkpoints that are never written: make it a multiple of every.",
        lambda run: keeps_saved_steps(run.spec),
    ),
    *CUSTOM_RULES,
    Rule(
        "spec.evaluate",
        f"!has(self.taskFolder) || ({_IN_VOLUME_CEL.format('self.taskFolder')})",
        _IN_VOLUME.format("taskFolder"),
        lambda run: run.spec.evaluate is None or in_volume(run.spec.evaluate.task_folder),
    ),
    Rule(
        "spec.evaluate",
        f"!has(self.datasetFolder) || ({_IN_VOLUME_CEL.format('self.datasetFolder')})",
        _IN_VOLUME.format("datasetFolder"),
        lambda run: run.spec.evaluate is None or in_volume(run.spec.evaluate.dataset_folder),
    ),
    Rule(
        "spec.evaluate",
        "(has(self.tasks) && size(self.tasks) > 0) || (has(self.taskSets) && size(self.taskSets) > 0)",
        "Nothing is asked: give taskSets, tasks, or both.",
        lambda run: run.spec.evaluate is None or bool(run.spec.evaluate.asked()),
    ),
    Rule(
        "spec.evaluate.taskSets",
        "self.all(one, self.exists_one(other, other == one))",
        "A task set is given twice: name each once.",
        lambda run: run.spec.evaluate is None or unique(run.spec.evaluate.task_sets),
    ),
    Rule(
        "spec.evaluate.tasks",
        None,
        "Two tasks have the same name: give each its own.",
        lambda run: run.spec.evaluate is None or unique(task.name for task in run.spec.evaluate.tasks),
    ),
    Rule(
        "spec.evaluate.compareWith",
        None,
        "Two models of compareWith have the same name: give each its own.",
        lambda run: run.spec.evaluate is None or unique(one.name for one in run.spec.evaluate.compare_with),
    ),
    Rule(
        "spec.evaluate.compareWith[]",
        _IN_VOLUME_CEL.format("self.path"),
        _IN_VOLUME.format("path"),
        lambda run: run.spec.evaluate is None or all(in_volume(one.path) for one in run.spec.evaluate.compare_with),
    ),
    Rule(
        "spec.variants",
        None,
        "Two variants have the same name: give each its own.",
        lambda run: unique(variant.name for variant in run.spec.variants),
    ),
    Rule(
        "spec.variants[].base",
        _IN_VOLUME_CEL.format("self.path"),
        _IN_VOLUME.format("path"),
        lambda run: all(in_volume(one.base.path) for one in run.spec.variants if one.base is not None),
    ),
    Rule(
        "spec.variants[].stages[]",
        " + ".join(f"(has(self.{kind}) ? 1 : 0)" for kind in TUNING_KINDS) + " == 1",
        f"A stage of a variant has exactly one kind: give it one of {', '.join(TUNING_KINDS)}.",
        lambda run: all(len(stage.kinds) == 1 for variant in run.spec.variants for stage in variant.stages),
    ),
    Rule(
        "spec.variants[]",
        f"size(self.name) <= {MAX_REPEATING_NAME} || ("
        + " && ".join(f"self.stages.filter(one, has(one.{kind})).size() <= 1" for kind in TUNING_KINDS)
        + ")",
        "A variant several of whose stages are of one kind has too long a name for the objects made from it: use at "
        f"most {MAX_REPEATING_NAME} characters.",
        lambda run: all(fits(variant) for variant in run.spec.variants),
    ),
    Rule(
        "spec.variants",
        "self.all(one, size(one.stages) < 2 || self.all(other, "
        "!['2', '3', '4', '5', '6'].exists(number, other.name == one.name + '-' + number)))",
        "The stages of a variant with several would be called as those of another, whose name is the same with a "
        "number behind it: give one of them another name.",
        lambda run: not confusable(run),
    ),
    Rule(
        "spec.variants",
        f"self.map(one, size(one.stages)).sum() <= {MAX_CHAINED}",
        f"The variants have more than {MAX_CHAINED} stages in all, for which the status has no room: make another run "
        "for some of them.",
        lambda run: sum(len(variant.stages) for variant in run.spec.variants) <= MAX_CHAINED,
    ),
    Rule(
        "spec.judge",
        _IN_VOLUME_CEL.format("self.prompts"),
        "prompts is a file on the run's volume: write it without a scheme and without '..'.",
        lambda run: run.spec.judge is None or in_volume(run.spec.judge.prompts),
    ),
    Rule(
        "spec.judge.between[]",
        f"!has(self.path) || ({_IN_VOLUME_CEL.format('self.path')})",
        "The path of a judged model is a folder on the run's volume: write it without a scheme and without '..'.",
        lambda run: run.spec.judge is None or all(in_volume(one.path) for one in run.spec.judge.between),
    ),
    Rule(
        "spec.judge.between",
        None,
        "Two judged models have the same name: give each its own.",
        lambda run: run.spec.judge is None or unique(one.name for one in run.spec.judge.between),
    ),
    Rule(
        "spec",
        f"!has(self.judge) || self.judge.between.all(one, has(one.path) || one.name == '{BASE}' || "
        "(has(self.variants) && self.variants.exists(variant, variant.name == one.name)))",
        f"judge.between names a model that the run doesn't make: write {BASE}, the name of a variant, or a name with a "
        "path.",
        lambda run: judges_known_models(run.spec),
    ),
    Rule(
        "spec",
        f"!has(self.judge) || !has(self.variants) || !self.variants.exists(variant, variant.name == '{BASE}')",
        f"A variant is called {BASE}, which is what judge.between calls the base model: give it another name.",
        lambda run: run.spec.judge is None or all(one.name != BASE for one in run.spec.variants),
    ),
)


def violations(run: TrainingRun) -> tuple[Note, ...]:
    """The rules that a run breaks, as errors."""
    return tuple(Note("error", rule.path or "metadata.name", rule.message) for rule in RULES if not rule.holds(run))
