"""Shipped tasks and the harness' own over data sets on the volume, with the real lm-eval and made rows."""

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engine.pretrain_runs import WORKERS
from engine.stage_runs import StageRun, make_models
from engine.task_data import QUESTIONS, lay_data_sets
from trainingrun.api.task_sets import TASK_SETS
from trainingrun_workers.contract import EvaluatedModel, EvaluateSpec, EvaluationTask
from trainingrun_workers.evaluate.tasks import FOLDER

SHIPPED = tuple(sorted(path.stem for path in FOLDER.glob("*.yaml")))
FEWSHOT = {name: fewshot for tasks in TASK_SETS.values() for name, fewshot in tasks}
MAIN = {
    "assin2_sts_leaderboard": "pearson", "bluex": "acc", "enem_challenge": "acc", "oab_exams": "acc",
    "ifeval-ita": "prompt_level_strict_acc",
}  # fmt: skip
CONTEXT = 2048  # ifeval generates up to 1,280 tokens

PROMPTS = """
import json, sys
from pathlib import Path
from trainingrun_workers.evaluate.dataset_folder import DatasetFolder
from trainingrun_workers.evaluate.harness import Harness
from trainingrun_workers.evaluate.task_folder import TaskFolder
from trainingrun_workers.evaluate.tasks import FOLDER
from trainingrun_workers.contract import EvaluateSpec, EvaluationTask
tasks = tuple(EvaluationTask(name, 2) for name in sys.argv[3:])
spec = EvaluateSpec((), tasks, None, 1, 1, True, False, None)
folder = TaskFolder.prepare(FOLDER, Path(sys.argv[2]))
harness = Harness(spec, (folder,), None, DatasetFolder(Path(sys.argv[1])))
parts = [task.parts[0] for task in harness.tasks]
print(json.dumps({part.config.task: part.fewshot_context(part.eval_docs[0], 2) for part in parts}))
"""


@pytest.fixture(scope="module")
def filled(engine_python: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A volume with a model of a long context and all data sets."""
    volume = tmp_path_factory.mktemp("filled")
    make_models(engine_python("lm-eval"), {volume / "model": 1})
    config = volume / "model/config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"max_position_embeddings": CONTEXT}))
    lay_data_sets(volume / "datasets")
    return volume


@pytest.fixture
def stage(filled: Path, tmp_path: Path, engine_python: Callable[[str], Path]) -> StageRun:
    shutil.copytree(filled, tmp_path / "volume")
    return StageRun(engine_python("lm-eval"), "evaluate", tmp_path / "volume", "artifacts/evaluate/aaaa")


def spec(*names: str) -> EvaluateSpec:
    tasks = tuple(EvaluationTask(name, FEWSHOT[name]) for name in names)
    return EvaluateSpec(
        models=(EvaluatedModel("tiny", "model", 0),), tasks=tasks,
        task_folder=None, seed=1234, batch_size=4, cpu=True, progression=True, dataset_folder="datasets",
    )  # fmt: skip


def document(stage: StageRun) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((stage.volume / stage.folder / "tiny.json").read_text())
    return content


def test_every_shipped_task_is_scored_offline_over_rows_of_its_schema(stage: StageRun) -> None:
    result = stage.run(spec(*SHIPPED), 300)
    assert result.reason == "Completed", stage.log()[-3000:]
    found = document(stage)
    assert found["main"] == {name: MAIN.get(name, "f1_macro") for name in SHIPPED}
    assert found["fewshot"] == {name: FEWSHOT[name] for name in SHIPPED}
    assert found["samples"] == {name: 4 if name == "ifeval-ita" else QUESTIONS for name in SHIPPED}
    demands = found["tasks"]["ifeval-ita"]
    # Half of the demands are capital letters, which a random model doesn't keep to; fewer than 100,000 words it does.
    assert 1 / 8 <= demands["inst_level_strict_acc"] <= 1 / 2
    assert demands["prompt_level_strict_acc"] == 0


def test_prompts_are_the_leaderboards_with_its_examples_in_its_order(stage: StageRun, tmp_path: Path) -> None:
    names = ("enem_challenge", "assin2_sts_leaderboard", "hatebr_offensive", "faquad_nli")
    command = [str(stage.python), "-c", PROMPTS, str(stage.volume / "datasets"), str(tmp_path / "tasks"), *names]
    environment = {"PYTHONPATH": str(WORKERS), "HOME": str(tmp_path), "HF_HUB_OFFLINE": "1"}
    prompts = json.loads(subprocess.check_output(command, env=environment).splitlines()[-1])
    options = "Alternativas:\nA. opção A\nB. opção B\nC. opção C\nD. opção D\nE. opção E\nResposta correta:"
    assert prompts["enem_challenge"] == (
        "As perguntas a seguir são questões de múltipla escolha do Exame Nacional do Ensino Médio (ENEM), selecione a "
        'única alternativa correta e responda apenas com as letras "A", "B", "C", "D" ou "E".\n\n'
        f"Pergunta:\nPergunta 2022_21?\n{options} D\n\nPergunta:\nPergunta 2022_88?\n{options} E\n\n"
        f"Pergunta:\nPergunta 2009_0?\n{options}"
    )
    assert prompts["assin2_sts_leaderboard"].endswith(
        "Frase 1: O gato 3251 dorme\nFrase 2: Um animal dorme\nPergunta: Quão similares são as duas frases? Dê uma "
        "pontuação entre 1,0 a 5,0.\nResposta: 4,5\n\n"
        "Frase 1: O gato 9000 dorme\nFrase 2: Um animal dorme\nPergunta: Quão similares são as duas frases? Dê uma "
        "pontuação entre 1,0 a 5,0.\nResposta:"
    )
    assert prompts["hatebr_offensive"].endswith(
        "\n\nTexto: comentário 48\nPergunta: O texto é ofensivo?\nResposta: Não\n\n"
        "Texto: comentário 44\nPergunta: O texto é ofensivo?\nResposta: Não\n\n"
        "Texto: comentário 7000\nPergunta: O texto é ofensivo?\nResposta:"
    )
    assert (
        "Pergunta: Onde fica a sala 1893?\nResposta: No segundo andar.\nA resposta dada satisfaz à pergunta? Sim ou "
        "Não? Sim\n\nPergunta: Onde fica a sala 949?"
    ) in prompts["faquad_nli"]


def test_the_harness_own_tasks_read_the_volume_and_edited_data_are_scored_anew(stage: StageRun) -> None:
    asked = spec("m_mmlu_it", "arc_it")
    assert stage.run(asked, 300).reason == "Completed", stage.log()[-3000:]
    before = document(stage)
    assert before["samples"] == {"m_mmlu_it": QUESTIONS, "arc_it": QUESTIONS}
    assert before["fewshot"] == {"m_mmlu_it": 5, "arc_it": 0}
    data = stage.volume / "datasets/alexandrainst/m_arc/it/test.jsonl"
    data.write_text(data.read_text().splitlines(keepends=True)[0])
    assert stage.run(asked, 300).reason == "Completed"
    after = document(stage)
    assert after["samples"] == {"m_mmlu_it": QUESTIONS, "arc_it": 1}
    assert after["key"] != before["key"]
    assert after["tasks"]["m_mmlu_it"] == before["tasks"]["m_mmlu_it"]


def test_a_data_set_that_is_not_there_is_named_before_a_model_is_loaded(stage: StageRun) -> None:
    result = stage.run(spec("arc_it", "hellaswag_it"))
    assert (result.exit_code, result.reason) == (65, "TaskDataMissing")
    assert "needs split val of configuration it of data set alexandrainst/m_hellaswag" in result.message
    assert "datasets/alexandrainst/m_hellaswag/it/val.parquet" in result.message


def test_a_task_that_counts_sentences_says_what_it_counts_them_by(stage: StageRun) -> None:
    result = stage.run(spec("ifeval"))
    assert (result.exit_code, result.reason) == (65, "TaskDataMissing")
    assert "datasets/nltk_data/tokenizers/punkt_tab" in result.message
