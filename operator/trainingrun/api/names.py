"""Every string that is shared with the cluster, once, with a sentence beside it."""

from typing import Final

GROUP: Final = "trainingrun.dev"  # the API group of the resource and of all labels
VERSION: Final = "v1alpha1"  # the only served version
API_VERSION: Final = f"{GROUP}/{VERSION}"
KIND: Final = "TrainingRun"
PLURAL: Final = "trainingruns"
SINGULAR: Final = "trainingrun"
SHORT_NAME: Final = "tr"

FIELD_MANAGER: Final = "trainingrun-operator"  # owner of the fields that server-side apply writes

LABEL_RUN: Final = f"{GROUP}/run"  # the run's name, on every child and pod
LABEL_STAGE: Final = f"{GROUP}/stage"  # the stage's name, for example pretrain or sft-instruct
LABEL_ATTEMPT: Final = f"{GROUP}/attempt"  # the attempt's number, from 1
ANNOTATION_RENDERED: Final = f"{GROUP}/rendered"  # hash of what a Job or PyTorchJob was rendered from
ANNOTATION_ASKED: Final = f"{GROUP}/asked"  # what a person asks of a run once, as plan.asked reads it
LABEL_QUEUE: Final = "kueue.x-k8s.io/queue-name"  # Kueue's: the LocalQueue that a Job or PyTorchJob waits in
LABEL_MANAGED_BY: Final = "app.kubernetes.io/managed-by"
MANAGED_BY: Final = "trainingrun"  # the value of the label above

KUBEFLOW_API_VERSION: Final = "kubeflow.org/v1"
PYTORCHJOB_CRD: Final = "pytorchjobs.kubeflow.org"
PYTORCH_CONTAINER: Final = "pytorch"  # the PyTorchJob controller looks for a container of this name

VOLUME_MOUNT: Final = "/volume"  # where the claim is mounted in every pod
INPUT_MOUNT: Final = "/etc/trainingrun"  # where the stage's ConfigMap is mounted
INPUT_FILE: Final = "input.json"  # the StageInput inside it
TOKEN_MOUNT: Final = "/var/run/secrets/trainingrun"  # where the projected token is mounted
TOKEN_FILE: Final = "token"
TOKEN_AUDIENCE: Final = "trainingrun-reports"  # the only audience that the operator accepts
REPORT_PATH: Final = "/v1/reports"  # where workers POST their snapshots

# A name of at most 63 characters is made of run, stage, attempt and the PyTorchJob controller's own suffix:
# 32 (run) + 1 + 16 ("sft-" and a variant of 12) + 1 + 4 (attempt: "a123") leaves 9 for it: "-worker-9". Names of Jobs
# may take 25 of the stage ("prepare-sft-" and a variant of 12 take 24); their pods get a generated suffix that the API
# server cuts to fit.
MAX_RUN_NAME: Final = 32
MAX_VARIANT_NAME: Final = 12

# A variant of whose chain one kind has several stages calls the later ones sft-NAME-2 and so on, which takes two more.
MAX_REPEATING_NAME: Final = MAX_VARIANT_NAME - 2
MAX_CHAIN: Final = 6  # stages of a variant
MAX_CHAINED: Final = 16  # stages of all variants together: the status has room for 64 stages

TUNING_KINDS: Final = ("sft", "dpo", "cpt")  # what a stage of a variant may be; three letters, by the count above
STAGE_KINDS: Final = (
    "tokenize", "pretrain", "convert", "evaluate", *TUNING_KINDS, "prepare", "release", "compare", "report", "judge",
)  # fmt: skip
