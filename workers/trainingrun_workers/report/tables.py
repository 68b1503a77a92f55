"""The comparison as a table: a row a model, a column a task, as Markdown and as HTML."""

import html
from collections.abc import Iterator, Mapping
from typing import Any, Final

MARKS: Final[dict[str | None, str]] = {"better": "▲", "worse": "▼", None: ""}
ARROWS: Final[dict[bool | None, str]] = {True: " ↑", False: " ↓", None: ""}


def markdown(content: Mapping[str, Any]) -> str:
    """The whole comparison.md."""
    heads = ["model", *(heading(one) for one in content["series"].values())]
    lines = [f"# {content['run']} compared", "", f"| {' | '.join(heads)} |"]
    lines.append(f"| --- |{' ---: |' * (len(heads) - 1)}")
    best = best_of(content)
    for model in content["models"]:
        cells = [_markdown_cell(model, name, best) for name in content["series"]]
        lines.append(f"| {' | '.join([model['name'], *cells])} |")
    return "\n".join([*lines, "", *(f"{line}\n" for line in notes(content))])


def html_table(content: Mapping[str, Any]) -> str:
    """The same table as HTML."""
    heads = "".join(f"<th>{html.escape(heading(one))}</th>" for one in content["series"].values())
    best = best_of(content)
    rows = [f"<tr><th>model</th>{heads}</tr>"]
    for model in content["models"]:
        cells = "".join(f"<td>{_html_cell(model, name, best)}</td>" for name in content["series"])
        rows.append(f"<tr><th>{html.escape(model['name'])}</th>{cells}</tr>")
    return f"<table>{''.join(rows)}</table>"


def heading(one: Mapping[str, Any]) -> str:
    """A column's head: task, metric and which way is better."""
    return f"{one['task']} {one['metric']}{ARROWS[one['higherIsBetter']]}"


def best_of(content: Mapping[str, Any]) -> dict[str, float]:
    """The best score of each column whose scores can be compared, where there are at least two."""
    found: dict[str, float] = {}
    for name, one in content["series"].items():
        values = [model["scores"][name] for model in content["models"] if name in model["scores"]]
        if one["higherIsBetter"] is not None and one["acrossTokenizers"] and len(values) > 1:
            found[name] = max(values) if one["higherIsBetter"] else min(values)
    return found


def notes(content: Mapping[str, Any]) -> list[str]:
    """What a reader has to know of the table, a paragraph each."""
    series, level = content["series"], content["level"]
    lines = [
        f"By lm-evaluation-harness {content['harness']}, {_shots(series)}, seed {content['seed']}; best in bold; ± one "
        "standard error.",
        f"{MARKS['better']} better, {MARKS['worse']} worse than {content['reference']} beyond chance: two-sided p < "
        f"{level}, Holm-corrected over the tasks of each model. Paired by question: McNemar's test (1947) where each "
        "is right or wrong, else z = mean difference by its standard error (Miller 2024, arXiv:2411.00640).",
        *_on_tests(content),
    ]
    if any(not one["sameTokenizer"] for one in content["models"]):
        lines.append(_on_tokenizers(content))
    lines += [f"{problem}" for model in content["models"] for problem in model["problems"]]
    return lines


def _shots(series: Mapping[str, Any]) -> str:
    """How many examples were shown: once where it is the same number for all tasks."""
    by_task = {one["task"]: one["fewshot"] for one in series.values() if one["fewshot"] is not None}
    if len(set(by_task.values())) == 1 and len(by_task) == len({one["task"] for one in series.values()}):
        return f"{next(iter(by_task.values()))}-shot"
    return ", ".join(f"{task} {number}-shot" for task, number in by_task.items()) or "few-shot as each task has it"


def _on_tokenizers(content: Mapping[str, Any]) -> str:
    others = ", ".join(one["name"] for one in content["models"] if not one["sameTokenizer"])
    by_tokens = [heading(one) for one in content["series"].values() if not one["acrossTokenizers"]]
    text = (
        f"Other tokenizer than {content['reference']}: {others}. Accuracies compare all the same, and so do "
        "bits_per_byte, byte_perplexity and word_perplexity, which are counted by the text's bytes and words."
    )
    if by_tokens:
        text += f" Counted by tokens, and so neither tested nor in bold: {', '.join(by_tokens)}."
    return text


def _on_tests(content: Mapping[str, Any]) -> Iterator[str]:
    """What is tested otherwise, and what is not tested."""
    series = content["series"]
    unpaired = [
        heading(one) for name, one in series.items() if not all(_is_paired(it, name) for it in content["models"])
    ]
    if unpaired:
        yield (
            f"Not paired for want of the questions' scores: {', '.join(unpaired)}. Where so, z = (a − b) / √(SEa² + "
            "SEb²), which rather misses a difference than invents one."
        )
    untested = [
        heading(one) for name, one in series.items() if not any(_is_known(it, name) for it in content["models"])
    ]
    if untested:
        yield f"Not tested, since the harness gives no standard error: {', '.join(untested)}."


def _is_paired(model: Mapping[str, Any], name: str) -> bool:
    """Whether a model's difference was tested by question, or not tested at all."""
    return bool(model["differences"].get(name, {"paired": True})["paired"])


def _is_known(model: Mapping[str, Any], name: str) -> bool:
    return name in model["stderr"] or name in model["differences"]


def _markdown_cell(model: Mapping[str, Any], name: str, best: Mapping[str, float]) -> str:
    if name not in model["scores"]:
        return ""
    value = f"{model['scores'][name]:.4f}"
    text = f"**{value}**" if model["scores"][name] == best.get(name) else value
    return " ".join(one for one in (text, _error(model, name), _mark(model, name)) if one)


def _html_cell(model: Mapping[str, Any], name: str, best: Mapping[str, float]) -> str:
    if name not in model["scores"]:
        return ""
    value = f"{model['scores'][name]:.4f}"
    text = f"<b>{value}</b>" if model["scores"][name] == best.get(name) else value
    return " ".join(one for one in (text, f"<small>{_error(model, name)}</small>", _mark(model, name)) if one)


def _error(model: Mapping[str, Any], name: str) -> str:
    return f"± {model['stderr'][name]:.4f}" if name in model["stderr"] else ""


def _mark(model: Mapping[str, Any], name: str) -> str:
    return MARKS[model["differences"].get(name, {}).get("verdict")]
