"""What a run reads that has to be on its claim: what lies on a hub, as downloads, and what the manifest names."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml
from copying import AirGapError, Command

from trainingrun.api.task_sets import TASK_SETS
from trainingrun.api.training_run import TrainingRun
from trainingrun.commands.manifest import CommandError, read_run

SHIPPED: Final = Path(__file__).resolve().parents[2] / "workers" / "trainingrun_workers" / "evaluate" / "tasks"
PARQUET: Final = "refs/convert/parquet"  # the hub's own conversion of data sets that are scripts
DATASETS: Final = "datasets"  # evaluate.datasetFolder where the run names none
EVALITA: Final = (
    "textual_entailment", "sentiment_analysis", "word_in_context", "hatespeech_detection", "admission_test", "faq",
    "summarization-fp", "lexical_substitution", "entity_recognition", "relation_extraction",
)  # fmt: skip
# lm-eval 0.4.13's tasks of the task sets: pattern of the name, data sets, revision, and which files; {0} is a group.
HARNESS: Final = (
    (r"mmlu", ("cais/mmlu",), None, None),
    (r"hellaswag", ("Rowan/hellaswag",), PARQUET, None),
    (r"arc_(?:challenge|easy)", ("allenai/ai2_arc",), None, None),
    (r"m_mmlu_(\w\w)", ("alexandrainst/m_mmlu",), PARQUET, "{0}/*"),
    (r"hellaswag_(\w\w)", ("alexandrainst/m_hellaswag",), PARQUET, "{0}/*"),
    (r"arc_(\w\w)", ("alexandrainst/m_arc",), PARQUET, "{0}/*"),
    (r"mmmlu_\w+", ("openai/MMMLU",), None, None),
    (r"ifeval", ("google/IFEval",), None, None),
    (r"evalita-mp.*", tuple(f"evalitahf/{name}" for name in EVALITA), None, None),
)


@dataclass(frozen=True)
class Need:
    """Something that has to be on the claim: a download, or a thing of the user's own with a word about it."""

    where: str  # folder or file on the volume
    what: str = field(compare=False)  # the same thing may be there for several reasons: one is told
    repository: str | None = None  # on the hub, where it is a download
    include: str | None = None
    revision: str | None = None

    def command(self, data: Path) -> Command | None:
        """The download into a folder that becomes the claim; None for what is the user's own."""
        if self.repository is None:
            return None
        options = ["--revision", self.revision] if self.revision else []
        options += ["--include", self.include] if self.include else []
        place = str(data / self.where)
        return ["hf", "download", "--repo-type", "dataset", *options, self.repository, "--local-dir", place]

    def text(self, data: Path) -> str:
        """The same for a shell script."""
        command = self.command(data)
        return f"{shlex.join(command)}  # {self.what}" if command else f"# {self.where}: {self.what}"


def needs(file: str) -> Iterator[Need]:
    """Everything that a run needs on its claim, each once; AirGapError where the manifest is wrong."""
    try:
        run = read_run(file)
    except CommandError as error:
        raise AirGapError(str(error)) from error
    yield from dict.fromkeys(_all(run))


def _all(run: TrainingRun) -> Iterator[Need]:
    spec = run.spec
    yield Need(spec.tokenizer.path, "the tokenizer, spec.tokenizer.path")
    for source in spec.data:
        yield _source(source.name, source.path)
    for variant in spec.variants:
        if variant.base is not None:
            yield Need(variant.base.path, f"the model that variant {variant.name} starts from")
        for stage in variant.stages:
            yield from _tuning(variant.name, dict(stage.tuning.config))
    yield from _evaluation(run)
    if spec.judge is not None:
        yield Need(spec.judge.prompts, "the judge's prompts; JUDGE_BASE_URL has to be inside as well")
        yield from (Need(one.path, f"the model {one.name}, judged") for one in spec.judge.between if one.path)


def _source(name: str, path: str) -> Need:
    """A source on the hub is downloaded, and the manifest then names the folder."""
    found = re.fullmatch(r"hf://datasets/([^/]+/[^/@]+)(?:@([^/]+))?(?:/(.*))?", path)
    if found is not None:
        repository, revision, below = found.groups()
        what = f"write spec.data path: raw/{name}{f'/{below}' if below else ''} in place of {path}"
        return Need(f"raw/{name}", what, repository, f"{below}/*" if below else None, revision)
    if path.startswith("s3://"):
        return Need(f"raw/{name}", f"source {name} is {path}: let the store be inside, or copy it here")
    return Need(path, f"source {name}")


def _tuning(variant: str, config: dict[str, Any]) -> Iterator[Need]:
    for one in config.get("datasets") or ():
        if isinstance(one, dict) and isinstance(one.get("path"), str):
            yield Need(one["path"], f"data of variant {variant}")


def _evaluation(run: TrainingRun) -> Iterator[Need]:
    evaluate = run.spec.evaluate
    if evaluate is None:
        return
    if evaluate.task_folder:
        yield Need(evaluate.task_folder, "task files of your own, and the data sets that they name")
    yield from (Need(one.path, f"the model {one.name}, compared with") for one in evaluate.compare_with)
    names = [name for chosen in evaluate.task_sets for name, _ in TASK_SETS[chosen]]
    folder = evaluate.dataset_folder or DATASETS
    own = evaluate.task_folder is not None
    for name in dict.fromkeys([*names, *(task.name for task in evaluate.tasks)]):
        yield from _task(name, folder, own)
    if names and not evaluate.dataset_folder:
        yield Need(DATASETS, f"write spec.evaluate.datasetFolder: {DATASETS}")


def _task(name: str, folder: str, own: bool) -> Iterator[Need]:
    """The data sets of a task: of a shipped one by its file, of the harness's by the table."""
    file = SHIPPED / f"{name}.yaml"
    if file.is_file():
        shipped = yaml.load(file.read_text(), Loader=_AnyTag)
        repository, revision = shipped["dataset_path"], (shipped.get("metadata") or {}).get("revision")
        yield Need(f"{folder}/{repository}", f"task {name}", repository, None, None if revision == "main" else revision)
        return
    for pattern, repositories, revision, include in HARNESS:
        found = re.fullmatch(pattern, name)
        if found is not None:
            files = include.format(*found.groups()) if include else None
            yield from (Need(f"{folder}/{one}", f"task {name}", one, files, revision) for one in repositories)
            if name == "ifeval":
                yield Need(f"{folder}/nltk_data/tokenizers/punkt_tab", "NLTK's punkt_tab, unpacked, for ifeval")
            return
    if not own:
        yield Need(
            folder, f"the data sets of task {name}, which this script does not know: see the task's dataset_path"
        )


class _AnyTag(yaml.SafeLoader):
    """YAML with lm-eval's !function tags, whose values are of no use here."""


_AnyTag.add_multi_constructor("!", lambda loader, suffix, node: None)
