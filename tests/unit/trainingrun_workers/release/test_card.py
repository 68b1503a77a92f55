"""The text of the model card and what the hub's own library reads in it."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import ModelCard

from trainingrun_workers.contract import ReleaseSpec
from trainingrun_workers.errors import BadConfig
from trainingrun_workers.release.card import CardFacts, GgufFile, Trial, card_text
from trainingrun_workers.release.licences import find_licence
from trainingrun_workers.release.making import making
from trainingrun_workers.release.scores import Score, Scores, evaluation_results, read_scores, score_table
from trainingrun_workers.release.stage import check_card, measured_provenance
from trainingrun_workers.release.usage import usage_code
from trainingrun_workers.volume import Volume, mark_complete

SCORES = Scores(
    "0.4.13",
    (
        Score("continuation_en", "acc", 0.1 + 0.2, 0.02, 0, 400),
        Score("held_out_it", "bits_per_byte", 2.5, None, None, None),
    ),
)
SPEC = ReleaseSpec(
    "m", "e", "step-00000900", "quickstart", None, "cc-by-sa-3.0", ("en", "it"), False, ("To install",), {}, True
)

DOCUMENT = {
    "tasks": {"continuation_en": {}, "held_out_it": {}, "m_mmlu_it": {}},
    "fewshot": {"continuation_en": 0, "m_mmlu_it": 5}, "limits": {"m_mmlu_it": 100},
    "seed": 1234, "batchSize": 8, "dtype": "float32",
}  # fmt: skip


def facts(spec: dict[str, Any] | None = None, **changes: Any) -> CardFacts:
    values: dict[str, Any] = {
        "spec": dataclasses.replace(SPEC, **(spec or {})), "licence": find_licence("cc-by-sa-3.0"),
        "model_type": "llama", "parameters": 1_138_048, "dtype": "bfloat16", "context": 256,
        "new_tokens": 40, "scores": SCORES, "plot": True,
        "progression": "# Progression\n\n| step |\n| --- |\n| 900 |\n",
        "trials": (Trial("To install", "a package"),),
        "provenance": {"data": [{"name": "en", "path": "raw/en", "weight": 0.4, "measured": {"tokens": 1234}}]},
        "versions": {"torch": "2.13.0"}, "printed": "a package", "evaluation": DOCUMENT,
    }  # fmt: skip
    values["usage"] = usage_code(values["spec"], 40)
    return CardFacts(**(values | changes))


def test_the_hubs_library_reads_the_scores_as_they_are(tmp_path: Path) -> None:
    file = tmp_path / "README.md"
    file.write_text(card_text(facts()))
    check_card(file, SCORES)
    data = ModelCard.load(file).data
    assert [one.metric_value for one in data.eval_results] == [0.1 + 0.2, 2.5]
    assert (data.license, data.language, data.library_name) == ("cc-by-sa-3.0", ["en", "it"], "transformers")


def test_a_card_with_other_scores_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "README.md"
    file.write_text(card_text(facts()).replace("value: 2.5", "value: 2.4"))
    with pytest.raises(BadConfig, match="model-index"):
        check_card(file, SCORES)


def test_a_card_without_scores_has_no_model_index(tmp_path: Path) -> None:
    file = tmp_path / "README.md"
    text = card_text(facts(scores=None, progression=None, plot=False))
    file.write_text(text)
    check_card(file, None)
    assert "model-index" not in text
    assert "This model was not evaluated." in text
    assert "progression.png" not in text


def test_a_model_trained_without_gpus_says_so_before_anything_else() -> None:
    text = card_text(facts())
    assert text.index("**Trained on CPU.**") < text.index("A llama language model")
    assert "Trained on CPU" not in card_text(facts(spec={"cpu": False}))


@pytest.mark.parametrize(("engine", "stood_in"), [("nanotron", True), ("torch", False)])
def test_stand_ins_are_told_of_only_where_the_engine_has_some(engine: str, stood_in: bool) -> None:
    text = card_text(facts(provenance={"pretrain": {"engine": engine}}))
    assert "**Trained on CPU.** No GPU was used" in text
    assert ("stand-ins" in text) == stood_in


def test_a_chat_model_names_its_base_and_is_asked_through_its_template() -> None:
    text = card_text(facts(spec={"chat": True, "base_name": "quickstart"}))
    assert "base_model: quickstart" in text
    assert "fine-tuned from quickstart" in text
    assert 'messages = [{"role": "user", "content": "To install"}]' in text


def test_a_model_of_another_base_names_its_folder_and_no_model_of_a_hub() -> None:
    text = card_text(facts(spec={"base_name": None, "base_path": "models/x"}))
    assert "trained further from the model at `models/x` on the run's volume." in text
    assert "base_model" not in text
    chat = card_text(facts(spec={"chat": True, "base_name": None, "base_path": "models/x"}))
    assert "fine-tuned from the model at `models/x`" in chat


def test_the_usage_code_is_python_whatever_the_prompt() -> None:
    prompt = 'a "quoted"\nline \\ and {braces} – è'
    text = card_text(facts(spec={"prompts": (prompt,)}))
    code = text.split("```python\n")[1].split("```")[0]
    compile(code, "card", "exec")
    assert "{braces}" in code


def test_a_text_that_fences_itself_stays_inside_its_fence() -> None:
    text = card_text(facts(trials=(Trial("a *b*", "```\ncode\n```"),)))
    assert "````text\n```\ncode\n```\n````" in text
    assert r"**a \*b\***" in text


def test_progression_and_plot_are_shown_once() -> None:
    text = card_text(facts(progression="# P\n\n| 900 |\n\n![plot](progression.png)\n"))
    assert text.count("progression.png") == 1
    assert "# P\n" not in text.split("## Scores by training step")[1]


def test_the_data_are_shown_with_what_was_measured() -> None:
    assert "| en (`raw/en`) | 0.4 |  |  |  | 1,234 |  |" in card_text(facts())


def test_sources_are_shown_with_language_licence_and_fingerprint_and_tokens_by_language() -> None:
    data = [
        {"name": name, "path": f"raw/{name}", "weight": 1.0, "language": language, "license": "odc-by",
         "folder": "artifacts/tokens/0123456789abcdef", "measured": {"tokens": tokens, "documents": 2}}
        for name, language, tokens in (("web", "it", 1000), ("wiki", "it", 500), ("code", "code", 7))
    ]  # fmt: skip
    text = card_text(facts(provenance={"data": data}))
    assert "| web (`raw/web`) | 1.0 | it | odc-by | 2 | 1,000 | `0123456789ab` |" in text
    assert "| it | 2 | 1,500 |" in text
    assert "| code | 1 | 7 |" in text


def test_the_architecture_is_a_table() -> None:
    text = card_text(facts(architecture={"layers": 32, "tied embeddings": True, "base of the rotary embedding": 1e4}))
    for row in (
        "| parameters | 1,138,048 |", "| layers | 32 |", "| tied embeddings | yes |",
        "| base of the rotary embedding | 10,000.0 |",
    ):  # fmt: skip
        assert row in text


def test_training_is_told_with_its_engines_hash_and_the_hours_that_it_cost() -> None:
    pretrain = {
        "engine": "nanotron", "nodes": 8, "gpusPerNode": 8, "steps": 1000, "tokensPerStep": 2048, "seed": 8,
        "config": {
            "tokens": {"sequence_length": 4096}, "optimizer": {"learning_rate_scheduler": {"learning_rate": 1e-3}},
        },
        "measured": {"engine": {"version": "0.4", "wheel": "f" * 64}},
    }  # fmt: skip
    text = card_text(
        facts(provenance={"pretrain": pretrain, "gpuHours": {"useful": 12.5, "lost": {"Killed": 1.0, "Evicted": 0.25}}})
    )
    for row in (
        "| engine | nanotron 0.4 |", "| engine's hash | `ffffffffffff` |", "| nodes × GPUs | 8 × 8 |",
        "| tokens | 2,048,000 |", "| sequence length | 4,096 |", "| highest learning rate | 0.001 |", "| seed | 8 |",
        "| GPU-hours of the run | 12.50, and 1.25 lost to restarts |",
    ):  # fmt: skip
        assert row in text
    assert "GPU-hours of" not in card_text(facts(provenance={"pretrain": pretrain})), "no hours are known"


def test_images_stand_in_the_card_with_their_digests() -> None:
    image = f"registry.example/nanotron@sha256:{'0' * 64}"
    assert f"| pretrain | `{image}` |" in card_text(facts(provenance={"images": {"pretrain": image}}))


def test_each_score_can_be_had_again_by_a_command() -> None:
    text = card_text(facts())
    start = "lm_eval --model hf --model_args pretrained=.,dtype=float32 --tasks"
    for command in (
        f"{start} continuation_en --num_fewshot 0 --seed 1234 --batch_size 8\n",
        f"{start} held_out_it --seed 1234 --batch_size 8\n",
        f"{start} m_mmlu_it --num_fewshot 5 --limit 100 --seed 1234 --batch_size 8\n",
    ):
        assert command in text
    assert "pip install lm_eval[hf]==0.4.13" in text


def test_commands_name_the_folder_of_own_tasks() -> None:
    text = card_text(facts(provenance={"evaluate": {"taskFolder": "tasks"}}))
    assert "--batch_size 8 --include_path TASKS\n" in text
    assert "TASKS is the folder of task files that the run has at `tasks`" in text


def test_limits_follow_from_the_facts_and_end_with_the_users_words() -> None:
    text = card_text(facts(spec={"limitations": "It can't count."})).split("## Limits")[1].split("\n## ")[0]
    for part in (
        "not trained to follow instructions", "made for en, it", "256 tokens", "trained on CPU",
        "Only a part of the questions was asked of m_mmlu_it.",
    ):  # fmt: skip
        assert part in text
    assert text.strip().endswith("It can't count.")


def test_a_chat_model_has_other_limits() -> None:
    text = card_text(facts(spec={"chat": True, "cpu": False}, evaluation=None, scores=None))
    limits = text.split("## Limits")[1].split("\n## ")[0]
    assert "answers can be wrong" in limits
    assert "It was not evaluated." in limits
    assert "CPU" not in limits
    assert "instructions" not in limits


def test_data_that_were_left_out_are_a_limit() -> None:
    provenance = {"pretrain": {"skipped": [{"step": 300, "steps": 20}, {"step": 900, "steps": 5}]}}
    assert "The data of 25 training steps were left out" in card_text(facts(provenance=provenance))


def test_a_citation_is_shown_as_it_is_and_only_where_there_is_one() -> None:
    assert "## Citation\n\n```bibtex\n@misc{x}\n```" in card_text(facts(spec={"citation": "@misc{x}\n"}))
    assert "## Citation" not in card_text(facts())


def test_gguf_files_are_listed_with_what_their_check_found() -> None:
    text = card_text(facts(gguf=(GgufFile("quickstart-q8_0.gguf", "q8_0", 1234567, 0.0123, 0.96875),)))
    assert "| `quickstart-q8_0.gguf` | q8_0 | 1,234,567 | 0.012 | 96.9% |" in text
    assert "## GGUF" not in card_text(facts())


def test_what_the_code_printed_stands_below_it() -> None:
    assert "Run in this folder, it printed:\n\n```text\na package\n```" in card_text(facts())


def test_long_lists_are_cut_in_the_card() -> None:
    text = card_text(facts(provenance={"inputs": list(range(1000))}))
    assert "and 984 more: see provenance.json" in text
    assert "\n- 999" not in text


def test_provenance_is_completed_by_what_stages_left(tmp_path: Path) -> None:
    mark_complete(tmp_path / "tokens/en", {"tokens": 7})
    made = measured_provenance(
        {"data": [{"folder": "tokens/en"}], "pretrain": {"folder": "pretrain/x", "seed": 8}}, Volume(tmp_path)
    )
    assert made == {
        "data": [{"folder": "tokens/en", "measured": {"tokens": 7}}],
        "pretrain": {"folder": "pretrain/x", "seed": 8},
    }


def test_the_table_has_a_row_a_metric() -> None:
    assert score_table(SCORES).splitlines()[2:] == [
        "| continuation_en | 0 | 400 | acc | 0.3000 | 0.0200 |",
        "| held_out_it |  |  | bits_per_byte | 2.5000 |  |",
    ]


def test_scores_are_read_in_the_order_of_tasks_without_what_is_no_number(tmp_path: Path) -> None:
    document = {
        "harness": "0.4.13",
        "tasks": {"b": {"alias": "b", "acc": 1, "acc_stderr": "N/A", "f1": float("nan")}, "a": {"acc": 0.5}},
        "fewshot": {"b": 5},
        "samples": {"b": 10},
    }
    (tmp_path / "base.json").write_text(json.dumps(document))
    scores, _ = read_scores(tmp_path, "base")
    assert scores == Scores("0.4.13", (Score("b", "acc", 1.0, None, 5, 10), Score("a", "acc", 0.5, None, None, None)))
    assert evaluation_results(scores)[0].dataset_name == "b (5-shot)"


def test_a_metric_under_several_filters_is_a_score_each(tmp_path: Path) -> None:
    metrics = {"em,strict": 0.1, "em_stderr,strict": 0.01, "em,loose": 0.2, "em_stderr,loose": 0.02}
    (tmp_path / "base.json").write_text(json.dumps({"harness": "0.4.13", "tasks": {"a": metrics}}))
    scores, _ = read_scores(tmp_path, "base")
    assert [(one.metric, one.stderr) for one in scores.scores] == [("em,strict", 0.01), ("em,loose", 0.02)]
    assert {one.metric_type for one in evaluation_results(scores)} == {"em"}
    file = tmp_path / "README.md"
    file.write_text(card_text(facts(scores=scores)))
    check_card(file, scores)


@pytest.mark.parametrize("content", ["", "[]", '{"tasks": []}', "{}"])
def test_torn_scores_are_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "base.json").write_text(content)
    with pytest.raises(BadConfig) as caught:
        read_scores(tmp_path, "base")
    assert caught.value.reason == "EvaluationInvalid"


def test_missing_scores_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadConfig, match="no scores of 'base'"):
        read_scores(tmp_path, "base")


def test_an_engine_of_the_users_own_is_named_as_it_calls_itself_and_may_say_nonsense() -> None:
    made = {"engine": "custom", "steps": 6, "sequenceLength": 64, "config": {"optimizer": 3, "tokens": "many"}}
    text = making({"pretrain": made | {"measured": {"engine": {"name": "megatron-lm", "version": "0.9"}}}}, {})
    assert "| engine | megatron-lm 0.9 |" in text
    assert "| sequence length | 64 |" in text
    assert "| engine | custom |" in making({"pretrain": made | {"measured": {"engine": "mine"}}}, {})
