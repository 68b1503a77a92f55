"""A manifest for each engine passes its check, and one's own engine gets the skeleton that its page shows."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from documented import DOCS
from trainingrun.cli import main
from trainingrun.commands.init.config_file import read_config
from trainingrun.commands.init.draft import Draft, Wanted, draft
from trainingrun.commands.init.figures import Speed
from trainingrun.commands.init.presets import PRESETS
from trainingrun.commands.init.with_engine import ENGINES

REPORT = Path(__file__).parent / "report/zagreus_350M_ita.yaml"
_, DOCUMENTED = (yaml.safe_load(one) for one in re.findall(
    r"```yaml\n(.*?)```", (DOCS / "engine-contract.md").read_text(), re.DOTALL
))  # fmt: skip


def of_preset(engine: str | None, name: str = "0.4b") -> Draft:
    return draft(Wanted(Speed("h100"), preset=PRESETS[name], engine=engine))


def of_report(engine: str | None) -> Draft:
    return draft(Wanted(Speed("h100"), nanotron=read_config(REPORT.read_text(), REPORT.name), engine=engine))


@pytest.mark.parametrize("made", [of_preset, of_report])
@pytest.mark.parametrize("engine", ENGINES)
def test_what_is_written_for_an_engine_passes_its_check(engine: str, made: Any, tmp_path: Path) -> None:
    manifest = tmp_path / "run.yaml"
    manifest.write_text(made(engine).text)
    assert yaml.safe_load(manifest.read_text())["spec"]["pretrain"]["engine"] == engine
    assert main(["check", str(manifest)]) == 0


def test_nanotron_and_torch_differ_by_one_word() -> None:
    nanotron, torch = (of_preset(one).manifest["spec"] for one in ("nanotron", "torch"))
    assert torch["pretrain"] == nanotron["pretrain"] | {"engine": "torch"}
    assert "engine" not in of_preset(None).manifest["spec"]["pretrain"]


def test_ones_own_engine_gets_the_skeleton_that_its_page_shows() -> None:
    written, shown = of_preset("custom").manifest["spec"]["pretrain"], DOCUMENTED["pretrain"]
    assert written.keys() == shown.keys()
    assert shown["custom"].keys() - written["custom"].keys() == {"command", "env"}, "which the image and nobody need"
    assert shown["config"].keys() == written["config"].keys()
    assert shown["config"]["model"].keys() <= written["config"]["model"].keys()


def test_its_sizes_are_those_that_the_configuration_has() -> None:
    made = of_preset("custom")
    custom = made.manifest["spec"]["pretrain"]["custom"]
    assert (custom["steps"], custom["tokensPerStep"]) == (made.figures.steps, made.figures.tokens_per_step)
    assert (custom["sequenceLength"], custom["vocabSize"]) == (4096, 128_256)
    assert "A GPU needs" not in made.text, "nobody knows of an engine of one's own"


def test_what_it_is_asked_for_is_told_and_nothing_of_keys_that_are_not_there() -> None:
    text = " ".join(of_preset("custom").text.replace("#", " ").split())
    assert "set images.custom.my-engine in the chart's values" in text
    assert "micro_batch_size" not in text


def test_data_stages_that_ones_own_engine_is_not_given_are_told() -> None:
    content = yaml.safe_load(REPORT.read_text())
    stage = content["data_stages"][0]
    later = stage | {"name": "later", "start_training_step": 100}
    text = yaml.safe_dump(content | {"data_stages": [stage, later]})
    made = draft(Wanted(Speed("h100"), nanotron=read_config(text, "two.yaml"), engine="custom"))
    assert any("2 data stages: engine custom is given one" in one.message for one in made.notices)


def test_an_engine_that_there_is_not_is_refused_with_those_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["init", "--preset", "0.1b", "--engine", "megatron", "--file", "-"]) == 2
    assert "--engine megatron is none: choose one of nanotron, torch, custom." in capsys.readouterr().err
