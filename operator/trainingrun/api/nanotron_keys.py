"""What becomes of each key of a nanotron configuration when nanotron 0.4 trains from it.

The rows hold the keys of two schemas: that of nanotron's main branch (`data_stages`, `optimizer_factory`,
`rope_theta`), in which configurations are published, and that of the released 0.4. Required keys and default values
are those of nanotron's own dataclasses. Keys of the model are in `nanotron_model_keys`.
"""

from typing import Final

from trainingrun.api.key_kinds import FLAG, TEXT, TEXTS, WEIGHTS, number, one_of, whole
from trainingrun.api.key_table import Key, KeyTable
from trainingrun.api.nanotron_model_keys import MODEL_KEYS

_LEVEL: Final = one_of("debug", "info", "warning", "error", "critical", "passive")
_BETA: Final = number(minimum=0.0, maximum=1.0)
_SCHEDULE: Final = "optimizer.learning_rate_scheduler."
_FLAT: Final = "optimizer.optimizer_factory becomes nanotron 0.4's own keys optimizer.adam_*."
_BATCH: Final = (
    "is no key of nanotron: its global batch is micro_batch_size · batch_accumulation_per_replica · dp sequences, so "
    "set these three."
)
_MAPPED: Final = "data.num_loading_workers {value} runs as 0: token files are mapped into memory, so none are needed."
_OTHER_RUN: Final = (
    "checkpoints.resume_checkpoint_path {value} is not read: a run goes on from its own newest complete checkpoint "
    "and starts at step 1 where it has none."
)

GENERAL_KEYS: Final = (
    Key("general.project", TEXT),
    Key(
        "general.run", TEXT, "ignored", "general.run {value} is not used: the run is called by its TrainingRun's name."
    ),
    Key("general.seed", whole(0)),
    Key("general.step", whole(0), "ignored", "general.step is not used: the step comes from the newest checkpoint."),
    Key(
        "general.consumed_train_samples", whole(0), "ignored",
        "general.consumed_train_samples is not used: the position in the data follows from the step.",
    ),
    Key("general.ignore_sanity_checks", FLAG),
    Key(
        "general.benchmark_csv_path", TEXT, "ignored",
        "general.benchmark_csv_path is not used: speed is in the run's status and metrics.",
    ),
    Key("logging.log_level", _LEVEL),
    Key("logging.log_level_replica", _LEVEL),
    Key("logging.iteration_step_info_interval", whole(1)),
    Key("metrics_logging", fate="ignored", sentence="metrics_logging is not used: nanotron 0.4 has no such metrics."),
    Key("profiler", fate="ignored", severity="warning", sentence="profiler is not used: a run is not profiled."),
    Key("lighteval", fate="ignored", sentence="lighteval is not used: spec.evaluate says what checkpoints are asked."),
    Key(
        "s3_upload", fate="ignored", severity="warning",
        sentence="s3_upload is not used: checkpoints stay on the run's volume, so back that up where they are dear.",
    ),
)  # fmt: skip

CHECKPOINT_KEYS: Final = (
    Key("checkpoints.checkpoint_interval", whole(1)),
    Key(
        "checkpoints.checkpoints_path", TEXT, "ignored",
        "checkpoints.checkpoints_path {value} is not used: checkpoints go to the stage's own folder on the volume.",
    ),
    Key(
        "checkpoints.checkpoints_path_is_shared_file_system", FLAG, "ignored",
        "checkpoints.checkpoints_path_is_shared_file_system {value} runs as true: all nodes mount the same volume.",
        quiet=(True,),
    ),
    Key("checkpoints.resume_checkpoint_path", TEXT, "ignored", _OTHER_RUN, severity="warning"),
    Key(
        "checkpoints.save_initial_state", FLAG, "ignored",
        "checkpoints.save_initial_state {value} is not used: the untrained model is not saved.", quiet=(False,),
    ),
    Key(
        "checkpoints.save_final_state", FLAG, "ignored",
        "checkpoints.save_final_state {value} runs as true: the last step is always saved.", quiet=(True,),
    ),
    Key(
        "checkpoints.load_lr_scheduler", FLAG, "refused",
        "checkpoints.load_lr_scheduler false would restart the learning rate with the pod: remove it.", quiet=(True,),
    ),
    Key(
        "checkpoints.load_optimizer", FLAG, "refused",
        "checkpoints.load_optimizer false would lose the optimizer with each restart: remove it.", quiet=(True,),
    ),
)  # fmt: skip

TOKENS_KEYS: Final = (
    Key("tokens.sequence_length", whole(2), example=4096),
    Key("tokens.train_steps", whole(1), example=100000),
    Key("tokens.micro_batch_size", whole(1), example=4),
    Key("tokens.batch_accumulation_per_replica", whole(1)),
    Key(
        "tokens.val_check_interval", whole(-1), "ignored",
        "tokens.val_check_interval has no effect: nanotron never validates; spec.evaluate scores checkpoints.",
        quiet=(-1,),
    ),
    Key(
        "tokens.limit_val_batches", whole(0), "ignored",
        "tokens.limit_val_batches has no effect: nanotron never validates.", quiet=(0,),
    ),
    Key(
        "tokens.limit_test_batches", whole(0), "ignored",
        "tokens.limit_test_batches has no effect: nanotron never tests.", quiet=(0,),
    ),
    *(Key(f"tokens.{name}", fate="refused", sentence=f"tokens.{name} {_BATCH}")
      for name in ("global_batch_size", "batch_size", "train_batch_size")),
)  # fmt: skip

OPTIMIZER_KEYS: Final = (
    Key("optimizer.zero_stage", whole(0, 1), example=0),
    Key("optimizer.weight_decay", number(minimum=0.0), example=0.01),
    Key("optimizer.clip_grad", number(above=0.0)),
    Key("optimizer.accumulate_grad_in_fp32", FLAG, example=True),
    Key(
        "optimizer.weight_decay_exclude_named_params", fate="refused", quiet=([],),
        sentence="optimizer.weight_decay_exclude_named_params names parameters, but nanotron 0.4 decays all of them: "
        "remove it.",
    ),
    Key("optimizer.optimizer_factory.name", one_of("adamW"), "ignored"),
    Key("optimizer.optimizer_factory.adam_beta1", _BETA, "translated", _FLAT, "optimizer.adam_beta1"),
    Key("optimizer.optimizer_factory.adam_beta2", _BETA, "translated", _FLAT, "optimizer.adam_beta2"),
    Key("optimizer.optimizer_factory.adam_eps", number(above=0.0), "translated", _FLAT, "optimizer.adam_eps"),
    Key("optimizer.optimizer_factory.torch_adam_is_fused", FLAG, "translated", _FLAT, "optimizer.torch_adam_is_fused"),
    Key("optimizer.adam_beta1", _BETA, example=0.9),
    Key("optimizer.adam_beta2", _BETA, example=0.95),
    Key("optimizer.adam_eps", number(above=0.0), example=1e-8),
    Key("optimizer.torch_adam_is_fused", FLAG, example=True),
    Key(_SCHEDULE + "learning_rate", number(above=0.0), example=0.003),
    Key(_SCHEDULE + "lr_warmup_steps", whole(0)),
    Key(_SCHEDULE + "lr_warmup_style", one_of("linear", "constant")),
    Key(_SCHEDULE + "lr_decay_style", one_of("linear", "cosine")),
    Key(_SCHEDULE + "lr_decay_steps", whole(0)),
    Key(_SCHEDULE + "lr_decay_starting_step", whole(0)),
    Key(_SCHEDULE + "min_decay_lr", number(minimum=0.0)),
)  # fmt: skip

PARALLELISM_KEYS: Final = (
    Key("parallelism.dp", whole(1), example=8),
    Key("parallelism.tp", whole(1), example=1),
    Key("parallelism.pp", whole(1), example=1),
    Key("parallelism.pp_engine", one_of("1f1b", "afab")),
    Key("parallelism.tp_mode", one_of("REDUCE_SCATTER", "ALL_REDUCE")),
    Key("parallelism.tp_linear_async_communication", FLAG),
    Key(
        "parallelism.tp_recompute_allgather", FLAG, "ignored",
        "parallelism.tp_recompute_allgather is not used: nanotron 0.4 has no such choice, which changes no result.",
    ),
    Key(
        "parallelism.recompute_layer", FLAG, "ignored", severity="warning", quiet=(False,),
        sentence="parallelism.recompute_layer is not used: nanotron 0.4 cannot recompute layers, so lower "
        "tokens.micro_batch_size where memory is short.",
    ),
    Key(
        "parallelism.moe_layer_recompute", FLAG, "ignored", quiet=(False,),
        sentence="parallelism.moe_layer_recompute is not used: the model has no experts.",
    ),
    Key(
        "parallelism.expert_parallel_size", whole(1), "refused", quiet=(1,),
        sentence="parallelism.expert_parallel_size is {value}, but a Llama has no experts: set it to 1.",
    ),
    Key(
        "parallelism.context_parallel_size", whole(1), "refused", quiet=(1,),
        sentence="parallelism.context_parallel_size is {value}, but nanotron 0.4 cannot cut sequences: set it to 1.",
    ),
)  # fmt: skip

INPUT_KEYS: Final = (
    Key("data_stages"),  # read by nanotron_data, with STAGE_TABLE
    Key(
        "data.dataset", fate="ignored",
        sentence="data.dataset is not read: the run trains on spec.data, mixed by its weights.",
    ),
    Key("data.seed", whole(0)),
    Key("data.num_loading_workers", whole(0), "ignored", _MAPPED, quiet=(0,)),
    Key(
        "tokenizer.tokenizer_name_or_path", TEXT, "ignored",
        "tokenizer.tokenizer_name_or_path {value} is not loaded: data and model use spec.tokenizer.",
    ),
    Key(
        "tokenizer.tokenizer_revision", TEXT, "ignored",
        "tokenizer.tokenizer_revision is not used: see spec.tokenizer.",
    ),
    Key(
        "tokenizer.tokenizer_max_length", whole(1), "ignored",
        "tokenizer.tokenizer_max_length is not used: documents are tokenized whole.",
    ),
)  # fmt: skip

NANOTRON_TABLE: Final = KeyTable(
    *GENERAL_KEYS, *CHECKPOINT_KEYS, *TOKENS_KEYS, *OPTIMIZER_KEYS, *PARALLELISM_KEYS, *MODEL_KEYS, *INPUT_KEYS
)

_NOT_FOLDERS: Final = (
    "dataset_read_path", "tokenizer_name", "vocab_size", "token_size_in_bytes", "shuffle_files", "skip_in_stream",
    "pad_samples_to_global_batch_size", "use_old_brrr_dataloader", "return_positions", "hf_dataset_or_datasets",
    "hf_dataset_splits", "hf_dataset_config_name", "dataset_processing_num_proc_per_process",
    "dataset_overwrite_cache", "text_column_name",
)  # fmt: skip

STAGE_TABLE: Final = KeyTable(
    Key("name", TEXT, example="stable phase"),
    Key("start_training_step", whole(1), example=1),
    Key("data.seed", whole(0)),
    Key("data.num_loading_workers", whole(0), "ignored", _MAPPED, quiet=(0,)),
    Key("data.dataset.dataset_folder", TEXTS),
    Key("data.dataset.dataset_weights", WEIGHTS),
    Key(
        "data.dataset.dataset_max_tokens", fate="ignored", severity="warning",
        sentence="dataset_max_tokens is not used: sources are mixed by weight, and begin anew once used up.",
    ),
    *(Key(f"data.dataset.{name}", fate="ignored", sentence=f"{name} is not used: spec.data says where text comes from "
          "and how it is read.") for name in _NOT_FOLDERS),
)  # fmt: skip
