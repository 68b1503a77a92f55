"""A few made rows of each data set that the shipped tasks, m_mmlu_it and arc_it read, in the data sets' own columns."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from trainingrun_workers.evaluate.tasks import leaderboard

Row = dict[str, Any]
QUESTIONS: Final = 3  # of each task


def lay_data_sets(folder: Path) -> None:
    """Write all of them, as files of one split each."""
    _write(folder / "eduagarcia/enem_challenge/data/train-00000-of-00001.jsonl", _exam(leaderboard._ENEM, "ABCDE"))
    _write(folder / "eduagarcia-temp/BLUEX_without_images/train.jsonl", _exam(leaderboard._BLUEX, "ABCD"))
    _write(folder / "eduagarcia/oab_exams/train.jsonl", _exam(leaderboard._OAB, "ABCD"))
    _splits(folder / "nilc-nlp/assin2/default", _pairs(leaderboard._ASSIN2), _pairs(range(9000, 9000 + QUESTIONS)))
    _splits(folder / "ruanchaves/faquad-nli", _answers(max(leaderboard._FAQUAD) + 1), _answers(QUESTIONS))
    benchmark = folder / "eduagarcia/portuguese_benchmark"
    for name, known in (
        ("HateBR_offensive_binary", leaderboard._HATEBR),
        ("Portuguese_Hate_Speech_binary", leaderboard._HATE_SPEECH),
    ):
        _splits(benchmark / name, _comments(known), _comments(range(7000, 7000 + QUESTIONS)))
    _splits(folder / "eduagarcia/tweetsentbr_fewshot", _tweets(75), _tweets(QUESTIONS))
    _write(folder / "mii-llm/ifeval-ita/ifeval_ita_input_data.jsonl", _demands())
    mmlu = folder / "alexandrainst/m_mmlu/it"
    _splits(mmlu, _choices(6), _choices(QUESTIONS))
    arc = folder / "alexandrainst/m_arc/it"
    for split in ("train", "validation", "test"):
        _write(arc / f"{split}.jsonl", (row | {"option_e": None} for row in _choices(QUESTIONS)))


def _splits(folder: Path, train: Iterable[Row], test: Iterable[Row]) -> None:
    _write(folder / "train.jsonl", train)
    _write(folder / "test.jsonl", test)


def _write(path: Path, rows: Iterable[Row]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def _exam(examples: Iterable[str], letters: str) -> list[Row]:
    names = [*(f"2009_{number}" for number in range(QUESTIONS)), *examples]
    return [
        {
            "id": name, "exam_id": name.partition("_")[0], "question": f"Pergunta {name}?",
            "choices": {"text": [f"opção {one}" for one in letters], "label": list(letters)},
            "answerKey": letters[place % len(letters)],
        }
        for place, name in enumerate(names)
    ]  # fmt: skip


def _pairs(numbers: Iterable[int]) -> list[Row]:
    return [
        {
            "sentence_pair_id": number, "premise": f"O gato {number} dorme", "hypothesis": "Um animal dorme",
            "relatedness_score": 1.5 + number % 4, "entailment_judgment": number % 2,
        }
        for number in numbers
    ]  # fmt: skip


def _answers(number: int) -> list[Row]:
    return [
        {"question": f"Onde fica a sala {one}?", "answer": "No segundo andar.", "label": one % 2}
        for one in range(number)
    ]


def _comments(numbers: Iterable[int]) -> list[Row]:
    return [{"idx": one, "sentence": f"comentário {one}", "label": one % 2} for one in numbers]


def _tweets(number: int) -> list[Row]:
    labels = tuple(leaderboard.FEELINGS)
    return [{"id": one, "sentence": f"tweet {one}", "label": labels[one % 3]} for one in range(number)]


def _demands() -> list[Row]:
    demands: list[tuple[str, Row]] = [
        ("punctuation:no_comma", {}),
        ("length_constraints:number_words", {"relation": "less than", "num_words": 100000}),
        ("length_constraints:number_sentences", {"relation": "at least", "num_sentences": 100000}),
        ("keywords:existence", {"keywords": ["sole"]}),
    ]
    arguments = {name: None for _, given in demands for name in given}
    return [
        {
            "key": place, "prompt": f"Scrivi di {name}.", "instruction_id_list": [name, "change_case:english_capital"],
            "kwargs": [arguments | given, arguments],
        }
        for place, (name, given) in enumerate(demands)
    ]  # fmt: skip


def _choices(number: int) -> list[Row]:
    return [
        {
            "id": f"q/{one}", "instruction": f"Quanto fa {one} più uno?", "answer": "ABCD"[one % 4],
            **{f"option_{letter}": f"{one + place}" for place, letter in enumerate("abcd")},
        }
        for one in range(number)
    ]  # fmt: skip
