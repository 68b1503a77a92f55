"""The page on engines of one's own says all that there is, and its examples are runs."""

import ast
import dataclasses
import re

import yaml

from builders import SETTINGS, a_manifest, with_uid
from documented import DOCS, engine_source
from trainingrun.api.chart_values import ChartValues
from trainingrun.api.training_run import TrainingRun
from trainingrun.plan import validity
from trainingrun.stages.context import Context
from trainingrun_workers import contract
from trainingrun_workers.contract import ExitCode, PretrainSpec, Result, Snapshot, StageInput

PAGE = (DOCS / "engine-contract.md").read_text()
VALUES, RUN = (yaml.safe_load(one) for one in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL))


def test_every_key_of_the_input_is_told_of() -> None:
    keys = {one.name for kind in (StageInput, PretrainSpec) for one in dataclasses.fields(kind)}
    assert sorted(key for key in keys if f"`{key}`" not in PAGE) == []


def test_every_key_of_last_words_and_every_exit_code_is_told_of() -> None:
    assert all(f'"{one.name}"' in PAGE for one in dataclasses.fields(Result))
    assert sorted(code for code in ExitCode if f"| {int(code)} |" not in PAGE) == []


def test_what_a_report_may_say_is_what_is_read() -> None:
    told = re.findall(r"`(\w+)`", PAGE.partition("**Reports**")[2].partition("A report that is no such")[0])
    own = {one.name for one in dataclasses.fields(Snapshot)}
    others = {"report_url", "report_seconds", "training", "loading", "compiling", "saving"}
    assert set(told) - others <= own


def test_places_are_those_of_the_contract() -> None:
    places = (contract.TOKEN_FILE, contract.TERMINATION_LOG, contract.INPUT_VARIABLE, contract.VOLUME_VARIABLE)
    assert all(f"`{place}`" in PAGE for place in places)


def test_the_run_and_the_values_of_the_page_are_taken() -> None:
    run = TrainingRun.from_object(with_uid(a_manifest(pretrain=RUN["pretrain"], evaluate=None, variants=None)))
    assert run.spec.pretrain.custom is not None
    assert run.spec.pretrain.custom.image in VALUES["images"]["custom"]
    images = {name: image.replace("…", "0" * 64) for name, image in VALUES["images"]["custom"].items()}
    assert ChartValues.model_validate({"images": {"custom": images}}).images.custom == images
    context = Context(run, dataclasses.replace(SETTINGS, custom_engines=images))
    assert validity.errors(context) == ()


def test_the_engine_uses_nothing_of_ours_and_fits_into_a_command() -> None:
    imported = {
        name.split(".")[0]
        for node in ast.walk(ast.parse(engine_source()))
        for name in (
            [one.name for one in node.names] if isinstance(node, ast.Import)
            else [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        )
    }  # fmt: skip
    assert {name for name in imported if name.startswith("trainingrun")} == set()
    assert len(engine_source()) < 32768
