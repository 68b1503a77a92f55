"""The Portuguese leaderboard's tasks: which rows are shown as examples, what is asked, how an answer is scored.

After https://github.com/eduagarcia/lm-evaluation-harness-pt, whose own samplers and filters lm-eval doesn't have.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from trainingrun_workers.errors import BadData
from trainingrun_workers.evaluate.tasks import answers

Row = Mapping[str, Any]

YES_NO: Final = ("Sim", "Não")
FEELINGS: Final = {"Positive": "Positivo", "Neutral": "Neutro", "Negative": "Negativo"}

_ENEM: Final = ("2022_21", "2022_88", "2022_143")
_BLUEX: Final = ("USP_2018_3", "UNICAMP_2018_2", "USP_2018_35", "UNICAMP_2018_16", "USP_2018_89")
_OAB: Final = tuple(f"2010-01_{one}" for one in (1, 11, 13, 23, 26, 28, 38, 48, 58, 68, 76, 83, 85, 91, 99))
_ASSIN2: Final = (1, 3251, 2, 3252, 3, 4, 5, 6, 3253, 7, 3254, 3255, 3256, 8, 9)
_FAQUAD: Final = (1893, 949, 663, 105, 1169, 2910, 2227, 2813, 974, 558, 1503, 1958, 2918, 601, 1560)
_HATEBR: Final = (
    48, 44, 36, 20, 3511, 88, 3555, 16, 56, 3535, 60, 40, 3527, 4, 76, 3579, 3523, 3551, 68, 3503, 84, 3539, 64, 3599,
    80,
)  # fmt: skip
_HATE_SPEECH: Final = (
    52, 50, 39, 28, 3, 105, 22, 25, 60, 11, 66, 41, 9, 4, 91, 42, 7, 20, 76, 1, 104, 13, 67, 54, 97,
)  # fmt: skip


def _named(column: str, names: tuple[Any, ...]) -> Callable[[Any], Any]:
    """Of a split, the rows with these values of a column, in this order."""

    def examples(rows: Any) -> Any:
        places = {value: place for place, value in enumerate(rows[column])}
        missing = [name for name in names if name not in places]
        if missing:
            raise BadData(
                "TaskDataIncomplete",
                f"The row with {column} {missing[0]!r}, which the leaderboard shows as an example, is not in the data "
                f"set ({len(rows)} rows): put the whole split there.",
            )
        return rows.select([places[name] for name in names])

    return examples


def _placed(places: tuple[int, ...]) -> Callable[[Any], Any]:
    """Of a split, the rows at these places, in this order."""

    def examples(rows: Any) -> Any:
        if len(rows) <= max(places):
            raise BadData(
                "TaskDataIncomplete",
                f"The split that examples are taken from has {len(rows)} rows, but the leaderboard shows row "
                f"{max(places)}: put the whole split there.",
            )
        return rows.select(list(places))

    return examples


def _others(names: tuple[str, ...]) -> Callable[[Any], Any]:
    """Of an exam, the questions that have an answer and are not shown as examples."""

    def questions(rows: Any) -> Any:
        keys = zip(rows["id"], rows["answerKey"], strict=True)
        return rows.select([place for place, (name, key) in enumerate(keys) if name not in names and key])

    return questions


enem_examples = _named("id", _ENEM)
enem_questions = _others(_ENEM)
bluex_examples = _named("id", _BLUEX)
bluex_questions = _others(_BLUEX)
oab_examples = _named("id", _OAB)
oab_questions = _others(_OAB)
assin2_examples = _named("sentence_pair_id", _ASSIN2)
faquad_examples = _placed(_FAQUAD)
hatebr_examples = _named("idx", _HATEBR)
hate_speech_examples = _named("idx", _HATE_SPEECH)


def exam_question(row: Row) -> str:
    """A question of ENEM or BLUEX with its options."""
    return f"Pergunta:\n{row['question']}\nAlternativas:\n{_options(row, '.')}\nResposta correta:"


def bar_exam_question(row: Row) -> str:
    """A question of the bar exam with its options."""
    return f"Questão:\n{row['question']}\nAlternativas:\n{_options(row, ')')}\nResposta correta:"


def _options(row: Row, mark: str) -> str:
    options = zip(row["choices"]["label"], row["choices"]["text"], strict=True)
    return "\n".join(f"{label}{mark} {text}" for label, text in options)


def entailment(row: Row) -> str:
    """Whether the hypothesis follows from the premise."""
    return YES_NO[0] if int(row["entailment_judgment"]) == 1 else YES_NO[1]


def yes_no(row: Row) -> str:
    """A label of 0 or 1 in words."""
    return YES_NO[0] if str(row["label"]) == "1" else YES_NO[1]


def feeling(row: Row) -> str:
    """A tweet's feeling in Portuguese."""
    return FEELINGS.get(row["label"], "Neutro")


def similarity(row: Row) -> str:
    """How alike two sentences are, as Portuguese writes it."""
    return f"{row['relatedness_score']:.1f}".replace(".", ",")


def exam_score(row: Row, results: list[str]) -> dict[str, Any]:
    """Of a question with five options."""
    return {"acc": answers.letter(results[0], "ABCDE", ".") == row["answerKey"]}


def bar_exam_score(row: Row, results: list[str]) -> dict[str, Any]:
    """Of a question with four options."""
    return {"acc": answers.letter(results[0], "ABCD", ")") == row["answerKey"]}


def entailment_score(row: Row, results: list[str]) -> dict[str, Any]:
    """Of a pair of premise and hypothesis."""
    return _labelled(entailment(row), results[0], YES_NO)


def yes_no_score(row: Row, results: list[str]) -> dict[str, Any]:
    """Of a text with a label of 0 or 1."""
    return _labelled(yes_no(row), results[0], YES_NO)


def feeling_score(row: Row, results: list[str]) -> dict[str, Any]:
    """Of a tweet."""
    return _labelled(feeling(row), results[0], tuple(FEELINGS.values()))


def similarity_score(row: Row, results: list[str]) -> dict[str, Any]:
    """Of a pair of sentences; an answer without digits counts as 5, as it does there."""
    given, right = answers.number(results[0], 1.0, 5.0, 5.0), float(row["relatedness_score"])
    return {"pearson": (right, given), "mse": (right - given) ** 2}


def _labelled(right: str, text: str, labels: tuple[str, ...]) -> dict[str, Any]:
    given = answers.label(text, labels)
    return {"f1_macro": (right, given), "acc": right == given}
