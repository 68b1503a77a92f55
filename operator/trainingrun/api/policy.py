"""POLICY: what the API server refuses beyond the schema, as the checks of two policies.

The first reads the engines' configurations, which the schema leaves untyped; in Python the translations say the same.
The second compares old and new: what a stage that has started is made of stays as it is; in Python the decisions
say the same of the hash of the stage's inputs. Both look only at requests that change the spec, so that metadata,
finalizers and the operator's status pass whatever they say.
"""

from dataclasses import dataclass
from typing import Any, Final

from trainingrun.api import names
from trainingrun.api.custom_engine_rules import NAMED_BY
from trainingrun.api.data import DataSource, LanguageScore, Storage, Tokenize
from trainingrun.api.rules import RULES
from trainingrun.api.training import Pretrain, Tuning

# Sections of nanotron's configuration that change nothing about the weights; general.seed is looked at by itself.
KNOB_SECTIONS: Final = ("checkpoints", "logging", "general", "profiler")
DEFAULT_SEED: Final = 42

_INSTEAD: Final = (
    "undo the change, or make a new run, which uses every finished stage that it has in common with this one."
)


@dataclass(frozen=True)
class Check:
    """One validation of a policy."""

    cel: str
    sentence: str  # what is said where it does not hold, with {name} for what is filled in
    fills: tuple[tuple[str, str], ...] = ()  # CEL that yields a string, by name

    @property
    def message(self) -> str:
        """CEL that yields the sentence."""
        expression = _said(self.sentence)
        for name, cel in self.fills:
            expression = expression.replace("{" + name + "}", f"' + {cel} + '")
        return expression


def _said(sentence: str) -> str:
    """A sentence as a CEL string."""
    return "'" + sentence.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _default(model: type[Any], name: str) -> Any:
    return model.model_fields[name].default


_ENGINE: Final = f"{{of}}.spec.pretrain.?engine.orValue('{_default(Pretrain, 'engine')}')"

SPEC_VARIABLES: Final = {
    "config": "object.spec.pretrain.config",
    "gpus": f"int(object.spec.pretrain.?gpusPerNode.orValue({_default(Pretrain, 'gpus_per_node')}))",
    "processes": (
        f"int(object.spec.pretrain.?nodes.orValue({_default(Pretrain, 'nodes')})) * "
        "(variables.gpus == 0 ? 1 : variables.gpus)"
    ),
    "parallelism": (
        "!has(object.spec.pretrain.custom) && 'parallelism' in variables.config && "
        "type(variables.config.parallelism) == map && "
        "['dp', 'tp', 'pp'].all(key, key in variables.config.parallelism && "
        "type(variables.config.parallelism[key]) == int) ? "
        "['dp', 'tp', 'pp'].map(key, int(variables.config.parallelism[key])) : [variables.processes, 1, 1]"
    ),
    "world": "variables.parallelism[0] * variables.parallelism[1] * variables.parallelism[2]",
    "onCpu": (
        "object.spec.?variants.orValue([]).filter(variant, variant.stages.exists(stage, "
        + " || ".join(
            f"has(stage.{kind}) && stage.{kind}.?gpusPerNode.orValue({_default(Tuning, 'gpus_per_node')}) == 0 && "
            f"stage.{kind}.?nodes.orValue({_default(Tuning, 'nodes')}) > 1"
            for kind in names.TUNING_KINDS
        )
        + ")).map(variant, variant.name)"
    ),
}

SPEC_CHECKS: Final = (
    *(Check(rule.cel, rule.message) for rule in RULES if rule.untyped and rule.cel is not None),
    Check(
        f"{_ENGINE.format(of='object')} == 'torch' || variables.world == variables.processes",
        "spec.pretrain.config.parallelism asks for dp·tp·pp = {world} processes, but spec.pretrain.nodes and "
        "gpusPerNode give {processes}: change one of them.",
        (("world", "string(variables.world)"), ("processes", "string(variables.processes)")),
    ),
    Check(
        "variables.onCpu.size() == 0",
        "A stage of {variants} has several nodes without GPUs, but Axolotl trains on CPU in one process: set nodes: 1.",
        (("variants", "variables.onCpu.join(', ')"),),
    ),
)


def _sources(of: str, fields: str) -> str:
    return f"{of}.spec.data.map(source, {fields})"


_READ: Final = " + '\\n' + ".join(
    [
        "source.name",
        "source.path",
        f"source.?glob.orValue('{_default(DataSource, 'glob')}')",
        f"source.?textKey.orValue('{_default(DataSource, 'text_key')}')",
        "string(source.?limit.orValue(0))",
        f"(has(source.languageScore) ? source.languageScore.?key.orValue('{_default(LanguageScore, 'key')}') + ' ' + "
        "string(double(source.languageScore.min)) : '')",
    ]
)
_WEIGHED: Final = f"source.name + '\\n' + string(double(source.?weight.orValue({_default(DataSource, 'weight')})))"


def _same(path: str, default: str | None = None, of: tuple[str, str] = ("object", "oldObject")) -> str:
    """CEL that holds where a value, or its default, is the same in both."""
    value = path if default is None else ".?".join(path.rsplit(".", 1)) + f".orValue({default})"
    return f"{of[0]}.{value} == {of[1]}.{value}"


def _gang_same(model: type[Any], path: str, of: tuple[str, str]) -> str:
    sizes = {"nodes": _default(model, "nodes"), "gpusPerNode": _default(model, "gpus_per_node")}
    return " && ".join(_same(f"{path}.{name}", str(value), of) for name, value in sizes.items())


_KNOBS: Final = "[" + ", ".join(f"'{one}'" for one in KNOB_SECTIONS) + "]"
_BOTH: Final = ("object", "oldObject")
_CHAIN: Final = ("variant.stages[at]", "old.stages[at]")
_SAME_BASE: Final = _same("?base.path", "''", ("variant", "old"))
_POSITIONS: Final = str(list(range(names.MAX_CHAIN)))


def _started_and_changed(kind: str) -> str:
    """CEL that holds where a stage of a kind of the variant `old` has started and is not the same in `variant`.

    Such a stage is called kind-NAME, or kind-NAME-2 where it is the second of its kind in the chain.
    """
    number = f"{_POSITIONS}.filter(to, to <= at && has(old.stages[to].{kind})).size()"
    same = f"{_same(f'{kind}.config', None, _CHAIN)} && {_gang_same(Tuning, kind, _CHAIN)} && {_SAME_BASE}"
    return (
        f"{_POSITIONS}.exists(at, at < size(old.stages) && has(old.stages[at].{kind}) && "
        f"('{kind}-' + old.name + ({number} == 1 ? '' : '-' + string({number}))) in variables.started && "
        f"!(at < size(variant.stages) && has(variant.stages[at].{kind}) && {same}))"
    )


CHANGE_VARIABLES: Final = {
    "started": (
        "oldObject.?status.stages.orValue([]).filter(stage, stage.?attempt.orValue(0) > 0 && "
        "stage.?phase.orValue('') != 'Failed').map(stage, stage.name)"
    ),
    "config": "object.spec.pretrain.config",
    "oldConfig": "oldObject.spec.pretrain.config",
    "sameConfig": (
        f"variables.config.all(key, key in {_KNOBS} || key in variables.oldConfig) && "
        f"variables.oldConfig.all(key, key in {_KNOBS} || "
        "(key in variables.config && variables.config[key] == variables.oldConfig[key])) && "
        + _same("?general.seed", str(DEFAULT_SEED), ("variables.config", "variables.oldConfig"))
    ),
    "sameCustom": (
        "(!has(object.spec.pretrain.custom) || variables.config == variables.oldConfig) && "
        + " && ".join(_same(f"spec.pretrain.?custom.{name}", default) for name, default in NAMED_BY.items())
    ),
    "changedVariants": (
        "object.spec.?variants.orValue([]).filter(variant, "
        "oldObject.spec.?variants.orValue([]).exists(old, old.name == variant.name && ("
        + " || ".join(_started_and_changed(kind) for kind in names.TUNING_KINDS)
        + "))).map(variant, variant.name)"
    ),
}

CHANGE_CHECKS: Final = (
    Check(
        f"variables.started.size() == 0 || {_same('spec.storage.claimName', _said(''))}",
        f"spec.storage.claimName can't change once a stage has started: {_INSTEAD}",
    ),
    Check(
        _same("spec.storage.deletionPolicy", _said(_default(Storage, "deletion_policy"))),
        "spec.storage.deletionPolicy can't change, since the claim was made with it: undo the change, or give the "
        "claim a reference to the run as its owner yourself, or take that away.",
    ),
    Check(
        "!('tokenize' in variables.started) || ("
        f"{_same('spec.tokenizer.path')} && object.spec.?tokenize.shards.orValue({_default(Tokenize, 'shards')}) == "
        f"oldObject.spec.?tokenize.shards.orValue({_default(Tokenize, 'shards')}) && "
        f"sets.equivalent({_sources('object', _READ)}, {_sources('oldObject', _READ)}))",
        "spec.tokenizer, spec.tokenize.shards and the sources of spec.data can't change once stage tokenize has "
        f"started: {_INSTEAD}",
    ),
    Check(
        "!('pretrain' in variables.started) || (variables.sameConfig && "
        f"{_same('spec.pretrain.engine', _said(_default(Pretrain, 'engine')))} && variables.sameCustom && "
        f"sets.equivalent({_sources('object', _WEIGHED)}, {_sources('oldObject', _WEIGHED)}))",
        "spec.pretrain's config and engine, its custom but for env, and the weights of spec.data, can't change once "
        f"stage pretrain has started: {_INSTEAD}",
    ),
    Check(
        f"!('pretrain' in variables.started) || {_ENGINE.format(of='object')} == 'torch' || "
        f"({_gang_same(Pretrain, 'spec.pretrain', _BOTH)})",
        "spec.pretrain's nodes and gpusPerNode can't change once stage pretrain has started, but for the torch engine, "
        f"whose steps are the same on any number of ranks: {_INSTEAD}",
    ),
    Check(
        "variables.changedVariants.size() == 0",
        "A stage of {variants} has started, so its base, config, nodes, gpusPerNode and place can't change: undo the "
        "change, or add a variant with another name.",
        (("variants", "variables.changedVariants.join(', ')"),),
    ),
)
