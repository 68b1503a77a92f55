"""nanotron's data_stages become mixes of a run's own sources."""

import dataclasses
from typing import Any

import pytest

from published import SIXTY_FOUR_GPUS, messages, nanotron
from trainingrun.api.nanotron_config import translate

NAMED = dataclasses.replace(
    SIXTY_FOUR_GPUS,
    sources=(("fineweb-ita", 3.0), ("fineweb-edu-350bt", 4.0), ("finepdf-ita", 1.0), ("starcoder-tokenized", 2.0)),
)


def _stage(name: str = "stable", start: int = 1, **dataset: Any) -> dict[str, Any]:
    return {"name": name, "start_training_step": start, "data": {"dataset": dataset, "seed": 3}}


def test_folders_without_a_source_serve_all_of_the_data_and_say_so() -> None:
    translation = translate(nanotron(), SIXTY_FOUR_GPUS)
    (stage,) = translation.data_stages
    assert stage.sources == SIXTY_FOUR_GPUS.sources
    assert (stage.name, stage.start_step, stage.seed) == ("stable phase", 1, 8)
    (message,) = [one for one in messages(translation.notes, "warning") if "folders" in one]
    assert "there are fineweb-350bt, fineweb2-ita, starcoder" in message


def test_folders_match_sources_by_any_part_of_their_path() -> None:
    translation = translate(nanotron(), NAMED)
    (stage,) = translation.data_stages
    assert stage.sources == NAMED.sources
    assert not [one for one in messages(translation.notes, "warning") if "folders" in one]


def test_folders_match_sources_by_the_last_part_of_the_source_s_path() -> None:
    context = dataclasses.replace(
        NAMED, sources=(("web", 1.0), ("code", 2.0)), source_paths=("raw/Fine_Web", "raw/py/")
    )
    config = nanotron(data_stages=[_stage(dataset_folder="/somewhere/raw/py")])
    assert translate(config, context).data_stages[0].sources == (("code", 2.0),)
    config = nanotron(data_stages=[_stage(dataset_folder=["/x/fine-web/000"])])
    assert translate(config, context).data_stages[0].sources == (("web", 1.0),)


def test_weights_are_honoured_and_summed_by_source() -> None:
    folders = ["/t/fineweb-ita/a", "/t/fineweb-ita/b", "/t/finepdf-ita"]
    config = nanotron(data_stages=[_stage(dataset_folder=folders, dataset_weights=[0.25, 0.25, 1])])
    assert translate(config, NAMED).data_stages[0].sources == (("fineweb-ita", 0.5), ("finepdf-ita", 1.0))


def test_weights_of_another_number_than_the_folders_are_an_error() -> None:
    config = nanotron(data_stages=[_stage(dataset_folder=["/t/fineweb-ita"], dataset_weights=[0.5, 0.5])])
    assert "has 2 weights for 1 folders" in translate(config, NAMED).errors[0].message


def test_weights_that_one_folder_s_loss_would_bend_are_an_error() -> None:
    config = nanotron(data_stages=[_stage(dataset_folder=["/t/fineweb-ita", "/t/lost"], dataset_weights=[0.5, 0.5])])
    assert "so that dataset_weights cannot be kept" in translate(config, NAMED).errors[0].message


def test_stages_come_in_the_order_of_their_steps() -> None:
    stages = [_stage("decay", 750_000, dataset_folder="/t/finepdf-ita"), _stage("stable", 1)]
    assert [(one.name, one.start_step) for one in translate(nanotron(data_stages=stages), NAMED).data_stages] == [
        ("stable", 1),
        ("decay", 750_000),
    ]


def test_a_configuration_without_stages_serves_all_of_the_data() -> None:
    (stage,) = translate(nanotron(data_stages=None), NAMED).data_stages
    assert (stage.start_step, stage.seed, stage.sources) == (1, 8, NAMED.sources)


@pytest.mark.parametrize(
    ("stages", "words"),
    [
        ([_stage(start=5)], "give a stage start_training_step: 1"),
        ([_stage("a", 1), _stage("b", 1)], "both start at step 1"),
        ([_stage("a", 1), _stage("a", 5)], "several stages called 'a'"),
        ([{"name": "a", "start_training_step": 0}], "takes a whole number from 1"),
        ([{"start_training_step": 1}], "data_stages[0].name is missing"),
        ([_stage(dataset_weights=[0.0])], "takes a list of numbers from 0, not all of them 0"),
        ([_stage(dataset_folders=["a"])], "did you mean data_stages[0].data.dataset.dataset_folder?"),
        ([], "takes a list of stages"),
        ({"name": "a"}, "takes a list of stages"),
        ([3], "takes a list of stages"),
    ],
)
def test_stages_that_cannot_be_are_errors(stages: Any, words: str) -> None:
    assert any(words in message for message in messages(translate(nanotron(data_stages=stages), NAMED).notes, "error"))


def test_a_stage_after_the_end_is_a_warning() -> None:
    config = nanotron(data_stages=[_stage(), _stage("late", 3_000_000)])
    assert any("never reaches" in message for message in messages(translate(config, NAMED).notes, "warning"))
