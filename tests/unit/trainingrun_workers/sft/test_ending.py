from types import SimpleNamespace

import pytest

from trainingrun_workers.errors import BadData
from trainingrun_workers.sft.ending import check_reached


def test_the_last_step_is_the_end() -> None:
    check_reached(SimpleNamespace(global_step=60, max_steps=60), may_stop_early=False)


def test_a_trainer_that_comes_back_before_it_is_not_done() -> None:
    with pytest.raises(BadData, match="Axolotl stopped by itself at step 12 of 60"):
        check_reached(SimpleNamespace(global_step=12, max_steps=60), may_stop_early=False)


def test_early_stopping_that_was_asked_for_is_an_end() -> None:
    check_reached(SimpleNamespace(global_step=12, max_steps=60), may_stop_early=True)
