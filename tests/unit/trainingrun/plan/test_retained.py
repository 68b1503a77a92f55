from trainingrun.api.status import CheckpointStatus
from trainingrun.api.training import Checkpoints
from trainingrun.plan.retained import best, retained
from trainingrun_workers.contract import Answer


def scored(step: int, **scores: float) -> CheckpointStatus:
    named = {name.replace("__", "/"): value for name, value in scores.items()}
    return CheckpointStatus(step=step, converted=True, scores=named)


def test_of_accuracies_the_highest_mean_is_best() -> None:
    known = [
        scored(100, a__acc=0.2, b__acc=0.5),
        scored(200, a__acc=0.5, b__acc=0.4),
        scored(300, a__acc=0.1, b__acc=0),
    ]

    assert best(known, 2) == (200, 100)


def test_of_bits_per_byte_the_lowest_is_best() -> None:
    known = [scored(100, text__bits_per_byte=1.9), scored(200, text__bits_per_byte=1.2), scored(300, text__ter=0.1)]

    assert best(known[:2], 1) == (200,)
    assert best([scored(100, text__word_perplexity=90.0), scored(200, text__word_perplexity=30.0)], 1) == (200,)


def test_a_checkpoint_that_lacks_a_score_is_not_compared() -> None:
    known = [scored(100, a__acc=0.2, b__acc=0.2), scored(200, a__acc=0.9), scored(300)]

    assert best(known, 3) == (100,)


def test_of_two_that_are_alike_the_later_one_is_kept() -> None:
    assert best([scored(100, a__acc=0.2), scored(200, a__acc=0.2)], 1) == (200,)


def test_what_is_still_to_be_evaluated_is_kept_along_with_the_best() -> None:
    known = [scored(100, a__acc=0.9), scored(200, a__acc=0.2), CheckpointStatus(step=300, converted=True)]

    assert retained(Checkpoints(keep_last=2, keep_every=500, keep_best=1), known) == Answer(2, 500, (100, 300))
    assert retained(Checkpoints(keep_last=2), known) == Answer(2, None, ())
