"""ifeval-ita: whether an Italian answer keeps to what its prompt demands.

Demands are checked by lm-eval's own classes for IFEval (https://arxiv.org/abs/2311.07911), but for those that know
English only or need a tokenizer's data from the network.
"""

import logging
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

LOGGER: Final = logging.getLogger(__name__)

ANSWERS: Final = (
    "My answer is yes.", "My answer is no.", "My answer is maybe.",
    "La mia risposta è sì.", "La mia risposta è no.", "La mia risposta è forse.",
)  # fmt: skip

Arguments = Mapping[str, Any]


def score(row: Mapping[str, Any], results: list[str]) -> dict[str, Any]:
    """Which demands an answer meets as it is, and which in any of the eight forms that IFEval calls loose."""
    strict = _met(row, [results[0]])
    loose = _met(row, _forms(results[0]))
    return {
        "prompt_level_strict_acc": all(strict),
        "inst_level_strict_acc": strict,
        "prompt_level_loose_acc": all(loose),
        "inst_level_loose_acc": loose,
    }


def _met(row: Mapping[str, Any], forms: list[str]) -> list[bool]:
    demands = zip(row["instruction_id_list"], row["kwargs"], strict=True)
    return [
        any(form.strip() and follows(name, arguments or {}, row["prompt"], form) for form in forms)
        for name, arguments in demands
    ]


def _forms(answer: str) -> list[str]:
    """The answer, and without its first line, its last and both; each as it is and without asterisks."""
    lines = answer.split("\n")
    cut = [answer, *("\n".join(part).strip() for part in (lines[1:], lines[:-1], lines[1:-1]))]
    return cut + [one.replace("*", "") for one in cut]


def follows(name: str, arguments: Arguments, prompt: str, answer: str) -> bool:
    """Whether an answer meets one demand; one that can't be checked, for a fault of the data, is not met."""
    given = {key: value for key, value in arguments.items() if value}
    try:
        return bool(_OWN[name](given, answer) if name in _OWN else _by_lm_eval(name, given, prompt, answer))
    except (KeyError, TypeError, ValueError) as error:
        LOGGER.warning("ifeval-ita: %s with %s can't be checked: %r", name, given, error)
        return False


def _by_lm_eval(name: str, given: Arguments, prompt: str, answer: str) -> bool:
    from lm_eval.tasks.ifeval.instructions_registry import INSTRUCTION_DICT

    instruction = INSTRUCTION_DICT[name](name)
    instruction.build_description(**given)
    arguments = instruction.get_instruction_args()
    if arguments and "prompt" in arguments:
        instruction.build_description(prompt=prompt)
    return bool(instruction.check_following(answer))


def sentences(answer: str) -> int:
    """The number of sentences: what ends in a full stop, a question mark or an exclamation mark before white space."""
    return sum(any(map(str.isalnum, part)) for part in re.split(r"(?<=[.!?…])[\"'»”)]*\s+", answer))


def _in_relation(number: int, relation: str, limit: int) -> bool:
    if relation not in ("at least", "less than"):
        raise ValueError(f"IFEval knows no relation {relation!r}.")
    return number >= limit if relation == "at least" else number < limit


def _number_sentences(given: Arguments, answer: str) -> bool:
    return _in_relation(sentences(answer), given["relation"], given["num_sentences"])


def _capital_words(given: Arguments, answer: str) -> bool:
    number = sum(word.isupper() for word in re.findall(r"\w+", answer))
    return _in_relation(number, given["capital_relation"], given["capital_frequency"])


_OWN: Final[dict[str, Callable[[Arguments, str], bool]]] = {
    "length_constraints:number_sentences": _number_sentences,
    "change_case:capital_word_frequency": _capital_words,
    # Of what letters an answer is, not in which language: lm-eval would have both of these in English.
    "change_case:english_capital": lambda _, answer: answer.isupper(),
    "change_case:english_lowercase": lambda _, answer: answer.islower(),
    "detectable_format:constrained_response": lambda _, answer: any(one in answer for one in ANSWERS),
}
