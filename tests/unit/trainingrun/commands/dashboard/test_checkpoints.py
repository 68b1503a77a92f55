"""The table of checkpoints and the lines of their scores, however many there are."""

from trainingrun.api.status import CheckpointStatus
from trainingrun.commands.dashboard.checkpoints import ROWS, TASKS, scores, table
from trainingrun.commands.dashboard.curves import MOST


def checkpoint(step: int, **named: float) -> CheckpointStatus:
    return CheckpointStatus(
        step=step, converted=True, scores={key.replace("__", "/"): one for key, one in named.items()}
    )


def test_none_yet_is_an_empty_table() -> None:
    assert table([]) == {"tasks": [], "rows": [], "leftOut": 0, "tasksLeftOut": 0}
    assert scores([]) == []


def test_the_best_is_the_highest_or_of_bits_the_lowest() -> None:
    made = table([checkpoint(1, a__acc=0.5, b__bits_per_byte=2.0), checkpoint(2, a__acc=0.7, b__bits_per_byte=1.5)])
    assert [(task["name"], task["better"], task["best"]) for task in made["tasks"]] == [
        ("a/acc", "more", 0.7), ("b/bits_per_byte", "less", 1.5),
    ]  # fmt: skip
    assert [row["step"] for row in made["rows"]] == [2, 1]


def test_one_checkpoint_is_not_its_own_best() -> None:
    assert table([checkpoint(1, a__acc=0.5)])["tasks"][0]["best"] is None


def test_what_is_not_evaluated_yet_has_a_row_without_scores() -> None:
    made = table([checkpoint(1, a__acc=0.5), CheckpointStatus(step=2, converted=True), CheckpointStatus(step=3)])
    assert [(row["step"], row["converted"], row["scores"]) for row in made["rows"]] == [
        (3, False, [None]), (2, True, [None]), (1, True, [0.5]),
    ]  # fmt: skip


def test_ten_thousand_checkpoints_are_a_table_of_the_newest_and_lines_of_all() -> None:
    many = [checkpoint(step, **{f"task{one}__acc": step / 1e5 for one in range(30)}) for step in range(10_000)]
    made = table(many)
    assert (len(made["rows"]), made["leftOut"], made["rows"][0]["step"]) == (ROWS, 10_000 - ROWS, 9999)
    assert (len(made["tasks"]), made["tasksLeftOut"]) == (TASKS, 30 - TASKS)
    (picture,) = scores(many)
    assert picture["metric"] == "acc"
    assert all(len(line["points"]) <= MOST and line["all"] == 10_000 for line in picture["lines"])


def test_a_metric_has_a_picture_of_its_own() -> None:
    pictures = scores([checkpoint(1, a__acc=0.5, b__acc=0.4, c__bits_per_byte=2.0)])
    assert [(one["metric"], [line["label"] for line in one["lines"]]) for one in pictures] == [
        ("acc", ["a", "b"]), ("bits_per_byte", ["c"]),
    ]  # fmt: skip
