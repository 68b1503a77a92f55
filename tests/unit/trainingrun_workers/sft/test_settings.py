from pathlib import Path
from typing import Any

import pytest

from trainingrun_workers.contract import SftSpec
from trainingrun_workers.errors import BadConfig
from trainingrun_workers.sft import settings
from trainingrun_workers.volume import Volume

CONFIG: dict[str, Any] = {"datasets": [{"path": "sft/a.jsonl"}], "plugins": ["theirs.Plugin"]}


def made(root: Path, config: dict[str, Any], resume: Path | None = None, cpu: bool = True) -> dict[str, Any]:
    spec = SftSpec(base="base", config=config, nodes=1, processes_per_node=1, cpu=cpu, hang_timeout=60)
    return settings.axolotl_config(spec, Volume(root), root / "stage/out", root / "stage/prepared-1", resume)


def test_paths_are_those_of_the_pod(tmp_path: Path) -> None:
    config = made(tmp_path, CONFIG, resume=tmp_path / "stage/checkpoints/checkpoint-30")

    assert config["base_model"] == str(tmp_path / "base")
    assert config["datasets"] == [{"path": str(tmp_path / "sft/a.jsonl")}]
    assert config["output_dir"] == str(tmp_path / "stage/out")
    assert config["dataset_prepared_path"] == str(tmp_path / "stage/prepared-1")
    assert config["resume_from_checkpoint"] == str(tmp_path / "stage/checkpoints/checkpoint-30")


def test_the_given_configuration_stays_as_it_is(tmp_path: Path) -> None:
    before = repr(CONFIG)
    made(tmp_path, CONFIG)

    assert repr(CONFIG) == before


def test_own_plugins_are_kept(tmp_path: Path) -> None:
    assert made(tmp_path, CONFIG)["plugins"] == ["theirs.Plugin", settings.PLUGIN]


def test_a_data_set_of_the_hub_loses_its_scheme_and_needs_the_network(tmp_path: Path) -> None:
    config = {"datasets": [{"path": "hf://owner/name"}]}

    assert made(tmp_path, config)["datasets"] == [{"path": "owner/name"}]
    assert settings.needs_network(config)
    assert not settings.needs_network(CONFIG)


def test_files_of_a_folder_get_the_folders_path(tmp_path: Path) -> None:
    config = made(tmp_path, {"datasets": [{"path": "sft", "data_files": "a.jsonl"}]})

    assert config["datasets"][0]["data_files"] == [str(tmp_path / "sft/a.jsonl")]


def test_a_seed_that_is_not_given_is_axolotls(tmp_path: Path) -> None:
    assert (settings.seed({}), made(tmp_path, CONFIG)["seed"]) == (42, 42)
    assert (settings.seed({"seed": 7}), made(tmp_path, {**CONFIG, "seed": 7})["seed"]) == (7, 7)


def test_a_data_set_can_not_leave_the_volume(tmp_path: Path) -> None:
    with pytest.raises(BadConfig):
        made(tmp_path, {"datasets": [{"path": "../a.jsonl"}]})


def test_small_data_are_tokenized_in_one_process_unless_it_is_set(tmp_path: Path) -> None:
    (tmp_path / "sft").mkdir()
    (tmp_path / "sft/a.jsonl").write_text("{}")

    assert made(tmp_path, CONFIG)["dataset_num_proc"] == 0
    assert made(tmp_path, {**CONFIG, "dataset_num_proc": 4})["dataset_num_proc"] == 4


def test_a_stage_without_gpus_sees_none_and_its_threads_do_not_spin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    spec = SftSpec(base="base", config={}, nodes=1, processes_per_node=1, cpu=True, hang_timeout=60)

    environment = settings.environment(spec)

    assert environment["CUDA_VISIBLE_DEVICES"] == ""
    assert environment["OMP_WAIT_POLICY"] == "passive"
    assert int(environment["OMP_NUM_THREADS"]) >= 1
    assert environment["AXOLOTL_DO_NOT_TRACK"] == "1"
