"""Configurations of nanotron as others have them, and those of Axolotl that need a mend."""

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from trainingrun.api import manifest_text
from trainingrun.commands.init.config_file import ConfigFile, UnreadableError, read_config
from trainingrun.commands.init.draft import Draft, Wanted, draft
from trainingrun.commands.init.figures import Speed
from trainingrun.commands.init.from_nanotron import source_of
from trainingrun.commands.init.settled import UnsettledError

REPORT = Path(__file__).parent / "report" / "zagreus_350M_ita.yaml"


def a_config(**sections: Any) -> ConfigFile:
    """The report's with sections replaced, or left out where they are None."""
    content = yaml.safe_load(REPORT.read_text()) | sections
    return read_config(yaml.safe_dump({key: one for key, one in content.items() if one is not None}), "cfg.yaml")


def a_draft(config: ConfigFile, *axolotl: dict[str, Any], **wanted: Any) -> Draft:
    files = tuple(read_config(yaml.safe_dump(one), f"tune{number}.yaml") for number, one in enumerate(axolotl))
    return draft(Wanted(Speed("a100"), nanotron=config, axolotl=files, **wanted))


def a_stage(name: str, start: int, folders: list[str], weights: list[float] | None) -> dict[str, Any]:
    dataset = {"dataset_folder": folders} | ({"dataset_weights": weights} if weights else {})
    return {"name": name, "start_training_step": start, "data": {"dataset": dataset, "seed": 1}}


@pytest.mark.parametrize(
    ("folder", "source"),
    [
        ("/data/web/000_tokenized_output", ("web", "/data/web")),
        ("/data/star_coder_tokenized/001_tokens", ("star-coder", "/data/star_coder")),
        ("/data/FineWeb-2.ita/tokenized", ("fineweb-2-ita", "/data/FineWeb-2.ita")),
        ("web-tokens-llama", ("web", "web")),
        ("tokenized", ("tokenized", "tokenized")),
        ("s3://bucket/web/standard/0_tokens", ("standard", "s3://bucket/web/standard")),
        ("../data/web/tokenized", ("web", "data/web")),
        ("..", ("text", "raw/text")),
    ],
)
def test_the_source_of_a_folder_of_tokens(folder: str, source: tuple[str, str]) -> None:
    assert source_of(folder) == source


def test_the_weights_of_the_only_stage_are_those_of_the_sources() -> None:
    stage = a_stage("all", 1, ["/d/web/0_tokenized", "/d/web/1_tokenized", "/d/code/tokenized"], [0.3, 0.5, 0.2])
    spec = a_draft(a_config(data_stages=[stage])).manifest["spec"]
    assert {one["name"]: one["weight"] for one in spec["data"]} == {"web": 0.8, "code": 0.2}
    assert spec["pretrain"]["config"]["data_stages"][0]["data"] == {"seed": 1}


def test_several_stages_keep_their_own_mixes() -> None:
    stages = [
        a_stage("stable", 1, ["/d/web/0_tokenized", "/d/web/1_tokenized"], [0.5, 0.5]),
        a_stage("anneal", 1_000_000, ["/d/web/0_tokenized", "/d/math/tokens"], [0.25, 0.75]),
    ]
    made = a_draft(a_config(data_stages=stages))
    datasets = [one["data"]["dataset"] for one in made.manifest["spec"]["pretrain"]["config"]["data_stages"]]
    assert datasets == [
        {"dataset_folder": ["web"], "dataset_weights": [1.0]},
        {"dataset_folder": ["web", "math"], "dataset_weights": [0.25, 0.75]},
    ]


def test_a_global_batch_that_the_rest_does_not_make_is_a_contradiction() -> None:
    tokens = a_config().content["tokens"] | {"global_batch_size": 1024}
    made = a_draft(a_config(tokens=tokens))
    (sentence,) = [one.message for one in made.notices if "says global_batch_size" in one.message]
    assert "says global_batch_size 1,024" in sentence
    assert "dp = 256 sequences a step" in sentence
    assert "global_batch_size" not in made.manifest["spec"]["pretrain"]["config"]["tokens"]


def test_a_key_that_the_engine_refuses_is_left_out_with_its_value_and_why() -> None:
    model = a_config().content["model"]
    model["model_config"] |= {"rope_theta": 500000.0}
    made = a_draft(a_config(model=model))
    (sentence,) = [one.message for one in made.notices if one.kind == "not carried over"]
    assert "rope_theta: 500000.0. model.model_config.rope_theta is 500000" in sentence
    assert sentence.split(",")[0].startswith("cfg.yaml line ")


def test_a_configuration_without_parallelism_gets_it_from_the_gpus() -> None:
    made = a_draft(a_config(parallelism={"pp": 2}), nodes=2, gpus=8)
    assert made.manifest["spec"]["pretrain"]["config"]["parallelism"]["dp"] == 8


def test_a_key_that_every_configuration_needs_is_never_left_out() -> None:
    parallelism = a_config().content["parallelism"] | {"dp": 32, "tp": 2}
    with pytest.raises(
        UnsettledError, match=r"parallelism.tp 2 does not divide model.model_config.num_attention_heads"
    ):
        a_draft(a_config(parallelism=parallelism))


def test_a_configuration_without_data_or_tokenizer_says_where_to_put_them() -> None:
    made = a_draft(a_config(data_stages=None, tokenizer=None, general={"seed": 1}))
    assert made.manifest["metadata"]["name"] == "run"
    assert made.manifest["spec"]["tokenizer"] == {"path": "models/tokenizer"}
    assert made.manifest["spec"]["data"] == [{"name": "text", "path": "raw/text"}]


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 10**12) | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=4,
)
KEYS = sorted(path for path in a_config().lines if "[" not in path)


@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.sampled_from(KEYS), JUNK)
def test_whatever_a_value_is_a_manifest_comes_of_it_or_a_sentence(path: str, junk: Any) -> None:
    content = copy.deepcopy(a_config().content)
    *sections, key = path.split(".")
    inner = content
    for section in sections:
        inner = inner[section]
    inner[key] = junk
    try:
        made = draft(Wanted(Speed("a100"), nanotron=ConfigFile("cfg.yaml", content, a_config().lines)))
    except UnsettledError as error:
        assert str(error).rstrip().endswith((".", "?"))
        return
    assert manifest_text.read(made.text, "run.yaml").metadata.name == made.manifest["metadata"]["name"]


def test_conversations_of_an_old_type_are_written_in_todays() -> None:
    tune = {
        "base_model": "a/b", "learning_rate": 1e-5, "sequence_len": 4096, "micro_batch_size": 1, "num_epochs": 1,
        "gradient_accumulation_steps": 1, "chat_template": "chatml", "adapter": "lora",
        "datasets": [{"path": "chats/openhermes", "type": "sharegpt", "conversation": "chatml"}],
    }  # fmt: skip
    made = a_draft(a_config(), tune)
    config = made.manifest["spec"]["variants"][0]["stages"][0]["sft"]["config"]
    assert config["datasets"][0]["message_property_mappings"] == {"role": "from", "content": "value"}
    assert "adapter" not in config
    kinds = {one.kind: one.message for one in made.notices if one.path.startswith("spec.variants")}
    assert 'adapter: "lora"' in kinds["not carried over"]
    assert "hf://chats/openhermes" in kinds["assumed"]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a: [", "cfg.yaml, line 1 is not YAML"),
        ("a: 1\na: 2", "cfg.yaml, line 2 is not YAML: the key a occurs twice"),
        ("- 1", "cfg.yaml holds no single mapping of keys"),
        ("", "cfg.yaml holds no single mapping of keys"),
    ],
)
def test_what_is_no_configuration_is_told_in_a_sentence(text: str, sentence: str) -> None:
    with pytest.raises(UnreadableError, match=sentence.replace("(", r"\(")):
        read_config(text, "cfg.yaml")
