"""The model card: README.md with the hub's metadata in front."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from trainingrun_workers.contract import ReleaseSpec
from trainingrun_workers.release.licences import Licence
from trainingrun_workers.release.limits import limits
from trainingrun_workers.release.making import fenced, making, table
from trainingrun_workers.release.repeating import TASKS_FOLDER, commands
from trainingrun_workers.release.scores import Scores, evaluation_results, score_table

PLOT: Final = "progression.png"
ON_CPU: Final = """\
> [!WARNING]
> **Trained on CPU.** No GPU was used{stand_ins}. This model shows that the whole chain works; it is no measure of \
what the same configuration gives on GPUs."""
STAND_INS: Final = ": stand-ins took the place of the training engine's GPU parts"  # of nanotron's alone


@dataclass(frozen=True)
class Trial:
    """A text that the model was given, and what it wrote."""

    prompt: str
    answer: str


@dataclass(frozen=True)
class GgufFile:
    """A GGUF file as it was checked against the safetensors."""

    name: str
    kind: str  # f16 or q8_0
    size: int  # bytes
    difference: float  # largest, between logits, by the largest logit
    agreement: float  # share of the probe's positions with the same most likely token


@dataclass(frozen=True)
class CardFacts:
    """All that the card says beyond the stage's input."""

    spec: ReleaseSpec
    licence: Licence
    model_type: str  # transformers' name of the architecture
    parameters: int
    dtype: str
    context: int  # positions
    new_tokens: int  # that a trial text has at most
    scores: Scores | None
    progression: str | None  # the evaluate stage's Markdown
    plot: bool  # whether PLOT lies beside the card
    trials: tuple[Trial, ...]
    provenance: dict[str, Any]  # of the spec, with what the stages measured
    usage: str  # Python that loads the folder
    printed: str  # by that code, run on the folder
    versions: dict[str, str] = field(default_factory=dict)  # of the libraries that loaded it last
    architecture: dict[str, Any] = field(default_factory=dict)  # rows of its table
    evaluation: Mapping[str, Any] | None = None  # the evaluate stage's document
    gguf: tuple[GgufFile, ...] = ()


def _on_cpu(facts: CardFacts) -> str:
    engine = (facts.provenance.get("pretrain") or {}).get("engine")
    return ON_CPU.format(stand_ins=STAND_INS if engine == "nanotron" else "") if facts.spec.cpu else ""


def card_text(facts: CardFacts) -> str:
    """The whole README.md."""
    sections = (
        f"# {facts.spec.name}", _on_cpu(facts), _introduction(facts), _use(facts), _gguf(facts),
        _scores(facts), _progression(facts), _trials(facts), _limits(facts), making(facts.provenance, facts.versions),
        _citation(facts), _licence(facts),
    )  # fmt: skip
    return f"---\n{_metadata(facts)}\n---\n\n" + "\n\n".join(one for one in sections if one) + "\n"


def _metadata(facts: CardFacts) -> str:
    from huggingface_hub import ModelCardData

    data = ModelCardData(
        model_name=facts.spec.name,
        language=list(facts.spec.languages) or None,
        license=facts.spec.licence,
        library_name="transformers",
        pipeline_tag="text-generation",
        tags=["trainingrun", facts.model_type, *(["conversational"] if facts.spec.chat else [])],
        base_model=facts.spec.base_name,
        eval_results=evaluation_results(facts.scores) if facts.scores and facts.scores.scores else None,
    )
    return str(data.to_yaml())


def _introduction(facts: CardFacts) -> str:
    spec = facts.spec
    origin = _origin(spec)
    kind = "chat model" if spec.chat else "base model: it continues texts and follows no instructions"
    languages = f" Languages: {', '.join(spec.languages)}." if spec.languages else ""
    shape = {"parameters": facts.parameters, "architecture": facts.model_type, "dtype": facts.dtype}
    rows = [(name, _cell(value)) for name, value in (shape | facts.architecture).items()]
    return (
        f"A {facts.model_type} language model with {facts.parameters:,} parameters, {origin}. "
        f"It is a {kind}.{languages}\n\n{table(('', 'value'), rows)}"
    )


def _origin(spec: ReleaseSpec) -> str:
    base = spec.base_name or (f"the model at `{spec.base_path}` on the run's volume" if spec.base_path else None)
    if base is None:
        return "trained from scratch"
    return f"{'fine-tuned' if spec.chat else 'trained further'} from {base}"


def _cell(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:,}" if isinstance(value, int | float) else str(value)


def _use(facts: CardFacts) -> str:
    return f"## Use\n\n{fenced(facts.usage, 'python')}\n\nRun in this folder, it printed:\n\n{fenced(facts.printed)}"


def _gguf(facts: CardFacts) -> str:
    if not facts.gguf:
        return ""
    rows = [
        (f"`{one.name}`", one.kind, f"{one.size:,}", f"{one.difference:.2g}", f"{one.agreement:.1%}")
        for one in facts.gguf
    ]
    header = ("file", "type", "bytes", "difference", "same next token")
    return (
        f"## GGUF\n\nFor llama.cpp, as in `llama-cli -m {facts.gguf[0].name}`. Each file was loaded again by "
        "transformers and compared with the safetensors: the largest difference of their logits, by the largest logit, "
        f"and how often both find the same token most likely.\n\n{table(header, rows)}"
    )


def _scores(facts: CardFacts) -> str:
    if facts.scores is None:
        return "## Evaluation\n\nThis model was not evaluated."
    source = f"By lm-evaluation-harness {facts.scores.harness}; the whole result is in `evaluation.json`."
    return f"## Evaluation\n\n{source}\n\n{score_table(facts.scores)}{_commands(facts)}"


def _commands(facts: CardFacts) -> str:
    """How to get the scores again, with the harness alone."""
    own = (facts.provenance.get("evaluate") or {}).get("taskFolder")
    lines = commands(facts.evaluation or {}, facts.dtype, own is not None)
    if not lines:
        return ""
    where = f", where {TASKS_FOLDER} is the folder of task files that the run has at `{own}`" if own else ""
    version = (
        f"`pip install lm_eval[hf]=={facts.scores.harness}`" if facts.scores and facts.scores.harness else "lm_eval"
    )
    return f"\n\nTo repeat them in this folder with {version}{where}:\n\n" + fenced("\n".join(lines), "sh")


def _progression(facts: CardFacts) -> str:
    if not facts.progression and not facts.plot:
        return ""
    table = "\n".join(line for line in (facts.progression or "").strip().splitlines() if not line.startswith("# "))
    image = f"![Scores by training step]({PLOT})" if facts.plot and PLOT not in table else ""
    return "\n\n".join(one for one in ("## Scores by training step", table.strip(), image) if one)


def _trials(facts: CardFacts) -> str:
    if not facts.trials:
        return ""
    lines = ["## Trial", f"The most likely continuation, {facts.new_tokens} tokens at most; nothing was selected."]
    for one in facts.trials:
        lines.append(f"**{_quoted(one.prompt)}**\n\n{fenced(one.answer)}")
    return "\n\n".join(lines)


def _quoted(text: str) -> str:
    return " ".join(text.split()).replace("*", r"\*").replace("_", r"\_").replace("<", "&lt;")


def _limits(facts: CardFacts) -> str:
    found = "\n".join(f"- {one}" for one in limits(facts.spec, facts.context, facts.provenance, facts.evaluation))
    own = (facts.spec.limitations or "").strip()
    return "\n\n".join(one for one in ("## Limits", found, own) if one)


def _citation(facts: CardFacts) -> str:
    text = facts.spec.citation or ""
    return (
        f"## Citation\n\n{fenced(text, 'bibtex' if text.lstrip().startswith('@') else 'text')}" if text.strip() else ""
    )


def _licence(facts: CardFacts) -> str:
    where = f" ({facts.licence.url})" if facts.licence.url else ""
    return f"## Licence\n\n{facts.licence.title}{where}: see `LICENSE`."
