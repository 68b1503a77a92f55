"""The document that an attempt's pods find."""

import dataclasses
import json
from dataclasses import dataclass
from typing import Any, Final, Self

from trainingrun_workers.contract.places import CONTRACT_VERSION
from trainingrun_workers.contract.specs import (
    SPECS,
    DataSource,
    DataStage,
    EvaluatedModel,
    EvaluateSpec,
    EvaluationTask,
    JudgeSpec,
    PretrainSpec,
    ReportedCurve,
    ReportedModel,
    ReportSpec,
    Skip,
    Spec,
    TokenizeSpec,
    TokenSource,
)


@dataclass(frozen=True)
class RunReference:
    """The run that a pod works for."""

    namespace: str
    name: str
    uid: str


@dataclass(frozen=True)
class StageInput:
    """One stage's whole input, as the pod finds it in INPUT_VARIABLE's file."""

    run: RunReference
    stage: str  # the stage's name: its kind, or kind-variant
    kind: str  # a key of SPECS
    attempt: int
    folder: str  # where the stage's output goes
    run_folder: str  # where snapshots, stacks and logs of the run go
    report_url: str | None
    report_seconds: float
    grace_seconds: float
    spec: Spec
    contract: int = CONTRACT_VERSION

    def to_json(self) -> str:
        """The document as it stands in the ConfigMap, keys sorted so that equal inputs are equal texts."""
        return json.dumps(dataclasses.asdict(self), sort_keys=True, indent=1)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """The input that `to_json` wrote; ValueError when it is of another contract or of no known kind."""
        raw = json.loads(text)
        if raw.get("contract") != CONTRACT_VERSION or raw.get("kind") not in SPECS:
            raise ValueError(
                f"The stage input is of contract {raw.get('contract')} and kind {raw.get('kind')!r}, but this image "
                f"knows contract {CONTRACT_VERSION}: use images of the operator's own version."
            )
        spec = _load(SPECS[raw["kind"]], raw.pop("spec"))
        return cls(run=RunReference(**raw.pop("run")), spec=spec, **raw)


# Fields whose items are dataclasses themselves; every other list of a spec is of plain values.
_NESTED: Final[dict[tuple[type[Any], str], type[Any]]] = {
    (TokenizeSpec, "sources"): TokenSource,
    (PretrainSpec, "data"): DataStage,
    (PretrainSpec, "skips"): Skip,
    (DataStage, "sources"): DataSource,
    (EvaluateSpec, "models"): EvaluatedModel,
    (EvaluateSpec, "tasks"): EvaluationTask,
    (JudgeSpec, "models"): EvaluatedModel,
    (ReportSpec, "models"): ReportedModel,
    (ReportSpec, "curves"): ReportedCurve,
}


def _load(kind: type[Any], raw: dict[str, Any]) -> Any:
    values: dict[str, Any] = {}
    for one in dataclasses.fields(kind):
        if one.name not in raw:
            continue
        value = raw[one.name]
        nested = _NESTED.get((kind, one.name))
        if isinstance(value, list):
            value = tuple(_load(nested, item) if nested else item for item in value)
        values[one.name] = value
    return kind(**values)
