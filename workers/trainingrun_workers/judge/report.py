"""What a judge stage leaves for people: judge.md."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

_LISTED: Final = 20  # disagreements that the page tells of
_SHOWN: Final = 100  # characters of a prompt
_HEAD: Final = (
    "| pair | prompts | first wins | second wins | ties | disagreements | no verdict | first's share of wins |",
    "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
)


def page(document: Mapping[str, Any], comparisons: Sequence[Mapping[str, Any]]) -> str:
    """The page of a stage's document and of its comparisons, as `stage` makes both."""
    judge = ", ".join(document["judge"]["answeredAs"]) or "not asked"
    lines = [
        "# Answers compared by a judge",
        "",
        f"{document['prompts']} prompts; judge: {judge}. Each pair of answers is shown in both orders, and a model "
        "wins a prompt only where both verdicts say so. Shares are of the prompts that one of both has won, with 95 % "
        "intervals after Wilson: one that holds 0.5 shows no difference.",
        "",
        *_HEAD,
        *(_row(one) for one in document["pairs"]),
    ]
    for language, pairs in document["languages"].items():
        lines += ["", f"## Prompts in {language}", "", *_HEAD, *(_row(one) for one in pairs)]
    lines += ["", "## Favour for a place", "", _place(document["position"])]
    lines += _disagreements([one for one in comparisons if one["outcome"] == "disagreement"])
    return "\n".join(lines) + "\n"


def _row(pair: Mapping[str, Any]) -> str:
    one, other = pair["models"]
    rate = pair["winRate"]
    told = f"{rate['share']:.2f} [{rate['interval'][0]:.2f}, {rate['interval'][1]:.2f}]" if rate["interval"] else "–"
    cells = (
        f"{one} : {other}", pair["prompts"], pair["wins"][one], pair["wins"][other], pair["ties"],
        pair["disagreements"], pair["unparsable"], told,
    )  # fmt: skip
    return "| " + " | ".join(map(str, cells)) + " |"


def _place(position: Mapping[str, Any]) -> str:
    chosen = position["first"] + position["second"]
    if not chosen:
        return "No verdict chose an answer, so that nothing can be said."
    low, high = position["firstRate"]["interval"]
    fair = "which a judge without favour would do as well" if low <= 0.5 <= high else "which shows a favour for a place"
    return (
        f"Of {chosen} verdicts that chose an answer, {position['first']} chose the one shown first "
        f"({position['firstRate']['share']:.2f}, interval {low:.2f} to {high:.2f}), {fair}. In "
        f"{position['alwaysFirst']} comparisons both verdicts chose the first place, in {position['alwaysSecond']} the "
        "second."
    )


def _disagreements(them: Sequence[Mapping[str, Any]]) -> list[str]:
    if not them:
        return []
    lines = ["", "## Disagreements between both orders", ""]
    for one in them[:_LISTED]:
        said = " and ".join(f"{verdict['chosen']} with {verdict['first']} shown first" for verdict in one["verdicts"])
        lines.append(f"- {_short(one['prompt'])}: {said}")
    lines += ["", f"All {len(them)} of them are in comparisons.jsonl, with both answers and both replies."]
    return lines


def _short(prompt: str) -> str:
    # What would be markup in a prompt is shown as it stands.
    text = " ".join(prompt.split()).replace("`", "'")
    return "`" + (text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…") + "`"
