"""What a generated answer says, by the Portuguese leaderboard's rules."""

import pytest

from trainingrun_workers.evaluate.tasks.answers import INVALID, distance, label, letter, number

LETTERS = [
    ("B", "B"),
    (" b", INVALID),
    ("Letra C, pois a água ferve", "C"),
    ("A resposta correta é D", "D"),  # the article is an option's letter too, but behind the word it isn't
    ("alternativa: E", "E"),
    ("Opção A", "A"),
    ("Resposta: C.", "C"),
    ("B. A água ferve", "B"),
    ("É a D", "D"),
    ("F", INVALID),
    ("", INVALID),
    ("nenhuma", INVALID),
]


@pytest.mark.parametrize(("text", "right"), LETTERS)
def test_an_option_is_read_from_an_answer(text: str, right: str) -> None:
    assert letter(text, "ABCDE", ".") == right


def test_the_mark_behind_an_option_wins_over_a_letter_before_it() -> None:
    assert letter("A lei diz: C) o juiz", "ABCD", ")") == "C"
    assert letter("D) o juiz. A lei", "ABCD", ")") == "D"


YES_NO = [
    ("Sim", "Sim"),
    (" não\n", "Não"),
    ("NAO", "Não"),
    ("Sim, pode ser inferida", "Sim"),
    ("sim ou não", "Sim"),  # both are named: the first three letters say it
    ("nco", "Não"),  # two of three letters
    ("nem", INVALID),  # one of three
    ("talvez", INVALID),
    ("", INVALID),
    ("?", INVALID),
]


@pytest.mark.parametrize(("text", "right"), YES_NO)
def test_a_label_is_read_from_an_answer(text: str, right: str) -> None:
    assert label(text, ("Sim", "Não")) == right


def test_of_three_labels_the_one_that_is_named_counts() -> None:
    feelings = ("Positivo", "Neutro", "Negativo")
    assert label("O sentimento é negativo.", feelings) == "Negativo"
    assert label("Positiv", feelings) == "Positivo"  # 7 of 8 letters


NUMBERS = [
    ("4,5", 4.5),
    ("4.5", 4.5),
    ("3", 3.0),
    ("9", 5.0),
    ("0,2", 1.0),
    ("nota 2,5.", 2.5),
    ("4,5 de 5,0", 4.55),  # all digits together: 4.55, then 0 behind a second point
    ("muito", 5.0),
    ("", 5.0),
    (".", 5.0),
]


@pytest.mark.parametrize(("text", "right"), NUMBERS)
def test_a_number_is_read_from_an_answer(text: str, right: float) -> None:
    assert number(text, 1.0, 5.0, 5.0) == right


def test_the_distance_of_two_words_is_how_many_letters_differ() -> None:
    assert distance("sim", "nao") == 3
    assert distance("gatos", "rato") == 2
    assert distance("", "sim") == 3
    assert distance("sim", "sim") == 0
