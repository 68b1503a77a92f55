"""What a stage's pod is given and what it reports: the only words that the operator and the workers share.

Standard library only. The operator writes a `StageInput` as JSON into a ConfigMap; the pod reads it, works in
`folder` on the volume, POSTs `Snapshot`s while it works, leaves its `Result` as the container's termination message
and ends with an `ExitCode`. All paths in here are relative to the volume's mount, all times are seconds, all sizes
are bytes, and JSON keys are the field names as they stand.
"""

from trainingrun_workers.contract.documents import RunReference, StageInput
from trainingrun_workers.contract.places import (
    CHECKPOINT_FOLDER,
    COMPLETE_COUNT,
    COMPLETE_MARKER,
    CONTRACT_VERSION,
    DEFAULT_INPUT,
    DEFAULT_VOLUME,
    INPUT_VARIABLE,
    MAX_RESULT_BYTES,
    NODE_VARIABLE,
    TERMINATION_LOG,
    TOKEN_FILE,
    VOLUME_VARIABLE,
    ExitCode,
    checkpoint_name,
)
from trainingrun_workers.contract.reports import Answer, Result, Snapshot
from trainingrun_workers.contract.specs import (
    SPECS,
    ConvertSpec,
    DataSource,
    DataStage,
    EvaluatedModel,
    EvaluateSpec,
    EvaluationTask,
    JudgeSpec,
    PretrainSpec,
    ReleaseSpec,
    ReportedCurve,
    ReportedModel,
    ReportSpec,
    SftSpec,
    Skip,
    Spec,
    TokenizeSpec,
    TokenSource,
)

__all__ = [
    "Answer",
    "CHECKPOINT_FOLDER",
    "COMPLETE_COUNT",
    "COMPLETE_MARKER",
    "CONTRACT_VERSION",
    "ConvertSpec",
    "DEFAULT_INPUT",
    "DEFAULT_VOLUME",
    "DataSource",
    "DataStage",
    "EvaluateSpec",
    "EvaluatedModel",
    "EvaluationTask",
    "ExitCode",
    "INPUT_VARIABLE",
    "JudgeSpec",
    "MAX_RESULT_BYTES",
    "NODE_VARIABLE",
    "PretrainSpec",
    "ReleaseSpec",
    "ReportSpec",
    "ReportedCurve",
    "ReportedModel",
    "Result",
    "RunReference",
    "SPECS",
    "SftSpec",
    "Skip",
    "Snapshot",
    "Spec",
    "StageInput",
    "TERMINATION_LOG",
    "TOKEN_FILE",
    "TokenSource",
    "TokenizeSpec",
    "VOLUME_VARIABLE",
    "checkpoint_name",
]
