"""The model card: README.md with the hub's metadata in front."""

import json
from dataclasses import dataclass, field
from typing import Any, Final

import yaml

from trainingrun_workers.contract import ReleaseSpec
from trainingrun_workers.release.licences import Licence
from trainingrun_workers.release.scores import Scores, evaluation_results, score_table

PLOT: Final = "progression.png"
STAND_INS: Final = """\
> [!WARNING]
> **Trained on CPU.** No GPU was used: stand-ins took the place of the training engine's GPU parts. This model shows \
that the whole chain works; it is no measure of what the same configuration gives on GPUs."""
USE: Final = """\
```python
from transformers import AutoModelForCausalLM, AutoTokenizer

folder = "."  # this folder
tokenizer = AutoTokenizer.from_pretrained(folder)
model = AutoModelForCausalLM.from_pretrained(folder)
{ask}
answer = model.generate(**inputs, max_new_tokens={new_tokens})
print(tokenizer.decode(answer[0][inputs["input_ids"].shape[1]:], skip_special_tokens=True))
```"""
ASK: Final = 'inputs = tokenizer({prompt}, return_tensors="pt")'
ASK_CHAT: Final = """\
messages = [{{"role": "user", "content": {prompt}}}]
inputs = tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_tensors="pt", return_dict=True)"""
LISTED: Final = 16  # items of a list that the card prints
DEFAULT_PROMPT: Final = "Once upon a time"


@dataclass(frozen=True)
class Trial:
    """A text that the model was given, and what it wrote."""

    prompt: str
    answer: str


@dataclass(frozen=True)
class CardFacts:
    """All that the card says beyond the stage's input."""

    spec: ReleaseSpec
    licence: Licence
    model_type: str  # transformers' name of the architecture
    parameters: int
    dtype: str
    context: int  # positions
    vocabulary: int  # ids
    new_tokens: int  # that a trial text has at most
    scores: Scores | None
    progression: str | None  # the evaluate stage's Markdown
    plot: bool  # whether PLOT lies beside the card
    trials: tuple[Trial, ...]
    provenance: dict[str, Any]  # of the spec, with what the stages measured
    versions: dict[str, str] = field(default_factory=dict)  # of the libraries that loaded it last


def card_text(facts: CardFacts) -> str:
    """The whole README.md."""
    sections = (
        f"# {facts.spec.name}", STAND_INS if facts.spec.cpu else "", _introduction(facts), _use(facts), _scores(facts),
        _progression(facts), _trials(facts), _making(facts), _licence(facts),
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
    origin = f"fine-tuned from {spec.base_name}" if spec.base_name else "trained from scratch"
    kind = "chat model" if spec.chat else "base model: it continues texts and follows no instructions"
    languages = f" Languages: {', '.join(spec.languages)}." if spec.languages else ""
    return (
        f"A {facts.model_type} language model with {facts.parameters:,} parameters, {origin}. "
        f"It is a {kind}.{languages}\n\n"
        f"| parameters | architecture | dtype | context | vocabulary |\n| ---: | --- | --- | ---: | ---: |\n"
        f"| {facts.parameters:,} | {facts.model_type} | {facts.dtype} | {facts.context:,} | {facts.vocabulary:,} |"
    )


def _use(facts: CardFacts) -> str:
    prompt = json.dumps(next(iter(facts.spec.prompts), DEFAULT_PROMPT), ensure_ascii=False)
    ask = (ASK_CHAT if facts.spec.chat else ASK).format(prompt=prompt)
    return "## Use\n\n" + USE.format(ask=ask, new_tokens=facts.new_tokens)


def _scores(facts: CardFacts) -> str:
    if facts.scores is None:
        return "## Evaluation\n\nThis model was not evaluated."
    source = f"By lm-evaluation-harness {facts.scores.harness}; the whole result is in `evaluation.json`."
    return f"## Evaluation\n\n{source}\n\n{score_table(facts.scores)}"


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
        lines.append(f"**{_quoted(one.prompt)}**\n\n{_fenced(one.answer)}")
    return "\n\n".join(lines)


def _quoted(text: str) -> str:
    return " ".join(text.split()).replace("*", r"\*").replace("_", r"\_").replace("<", "&lt;")


def _fenced(text: str) -> str:
    fence = "```"
    while fence in text:
        fence += "`"
    return f"{fence}text\n{text.strip() or '(nothing)'}\n{fence}"


def _making(facts: CardFacts) -> str:
    made = facts.provenance
    lines = ["## How it was made"]
    data = [one for one in made.get("data") or () if isinstance(one, dict)]
    if data:
        lines.append(_data_table(data))
    lines.append(
        "<details><summary>Images, versions, seeds and configurations</summary>\n\n"
        + _fenced(yaml.safe_dump(_brief(made), sort_keys=False, allow_unicode=True, width=110)).replace(
            "```text", "```yaml", 1
        )
        + "\n\n</details>"
    )
    if facts.versions:
        lines.append(
            "Last loaded with " + ", ".join(f"{name} {version}" for name, version in facts.versions.items()) + "."
        )
    return "\n\n".join(lines)


def _brief(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _brief(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        left = len(value) - LISTED
        return [_brief(one) for one in value[:LISTED]] + ([f"and {left} more: see provenance.json"] if left > 0 else [])
    return value


def _data_table(data: list[dict[str, Any]]) -> str:
    lines = ["| data | weight | documents | tokens |", "| --- | ---: | ---: | ---: |"]
    for one in data:
        measured = one.get("measured") or {}
        cells = (
            f"{one.get('name', '')} (`{one.get('path', '')}`)", f"{one.get('weight', '')}",
            _count(measured.get("documents")), _count(measured.get("tokens")),
        )  # fmt: skip
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _count(number: object) -> str:
    return f"{number:,}" if isinstance(number, int) else ""


def _licence(facts: CardFacts) -> str:
    where = f" ({facts.licence.url})" if facts.licence.url else ""
    return f"## Licence\n\n{facts.licence.title}{where}: see `LICENSE`."
