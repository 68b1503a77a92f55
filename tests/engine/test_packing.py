"""Packing with Axolotl itself: what is packed ahead is what its trainer asks for, and what it would have packed."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest

from engine.pretrain_runs import WORKERS
from engine.sft_runs import ask

PROGRAM: Final = """
import json, random, sys
from pathlib import Path
from types import SimpleNamespace
sys.path.insert(0, sys.argv[1])
from axolotl.core.trainers.base import AxolotlTrainer
from axolotl.utils.dict import DictDefault
from axolotl.utils.samplers import MultipackBatchSampler, get_dataset_lengths, multipack
from axolotl.utils.trainer import calculate_total_num_steps
from datasets import Dataset
from torch.utils.data import SequentialSampler
from trainingrun_workers.sft import packing
from trainingrun_workers.sft.ordering import EpochShuffle
from trainingrun_workers.sft.packings import Packings

MICRO, LENGTH, EPOCHS, SEED = 2, 64, 3, 7
draw = random.Random(1)
data, evaluated = (Dataset.from_dict({"length": [draw.randint(2, LENGTH) for _ in range(rows)]}) for rows in (500, 50))

class Stage:
    def __init__(self, attention):
        whole = packing.packs_whole_batches(attention)
        numbers = {
            "sample_packing_group_size": 100, "sample_packing_bin_size": 4, "dataset_num_proc": 1,
            "sample_packing_sequentially": False, "sample_packing_mp_start_method": None,
        }
        self.config = DictDefault({
            **numbers, "sample_packing": True, "eval_sample_packing": True, "micro_batch_size": MICRO, "seed": SEED,
            "batch_size": 4 * MICRO, "sequence_len": LENGTH, "num_epochs": EPOCHS, "attn_supports_packing": whole,
            "total_num_tokens": 1, "total_supervised_tokens": 1, "multipack_real_batches": None,
        })
        args = SimpleNamespace(
            **numbers, multipack_real_batches=not whole, per_device_train_batch_size=MICRO, max_seq_length=LENGTH,
            sample_packing_efficiency=1.0,
        )
        self.trainer = SimpleNamespace(args=args, state=SimpleNamespace(train_batch_size=MICRO))

    def ahead(self):
        both = SimpleNamespace(train_dataset=data, eval_dataset=evaluated)
        packing.pack_epochs(self.config, both, lambda epoch, epochs: None)

    def trained(self):
        order, epochs = EpochShuffle(len(data), SEED), []
        sampler = AxolotlTrainer._create_multipack_sampler(self.trainer, order, data)
        for epoch in range(EPOCHS):
            order.epoch = epoch
            sampler.set_epoch(epoch)
            epochs.append(list(sampler))
        order = SequentialSampler(evaluated)
        own = list(AxolotlTrainer._create_multipack_sampler(self.trainer, order, evaluated))
        return {"count": len(sampler), "epochs": epochs, "evaluated": own}

    def steps(self):
        return calculate_total_num_steps(DictDefault(dict(self.config)), data)  # which changes it

def of(stage, folder):
    answer = {"stock": stage.trained()}
    with packing.packed_once(SEED, Packings(folder, keeps=False)):
        answer["unprepared"] = {**stage.trained(), "steps": stage.steps()}
    with packing.packed_once(SEED, Packings(folder, keeps=True)):
        stage.ahead()
    answer["kept"] = sorted(path.name for path in folder.iterdir())
    pack, multipack.pack_parallel = multipack.pack_parallel, None  # nobody is to ask
    with packing.packed_once(SEED, Packings(folder, keeps=False)):
        answer["prepared"] = {**stage.trained(), "steps": stage.steps()}
    multipack.pack_parallel = pack
    return answer

answers = {attention: of(Stage(attention), Path(sys.argv[2]) / attention) for attention in sys.argv[3:]}
same = bool((packing.lengths_of(data) == get_dataset_lengths(data)).all())
print(json.dumps({**answers, "same_lengths": same}))
"""
SEQUENCES: Final = {"flash_attention_2": 1, "sdpa": 2}  # of a batch of two: one long one, or two


@pytest.fixture(scope="module")
def found(engine_python: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("packings")
    answer: dict[str, Any] = ask(engine_python("axolotl"), PROGRAM, WORKERS, folder, *map(Path, SEQUENCES))
    return answer


@pytest.mark.parametrize("attention", SEQUENCES)
def test_what_is_packed_ahead_is_all_that_the_trainer_asks_for(found: dict[str, Any], attention: str) -> None:
    of = found[attention]

    assert len(of["kept"]) == 4, "one an epoch, and the evaluation's"
    assert of["prepared"] == of["unprepared"]


@pytest.mark.parametrize("attention", SEQUENCES)
def test_axolotl_packs_the_same_in_the_same_order(found: dict[str, Any], attention: str) -> None:
    of = found[attention]

    assert of["stock"] == {key: value for key, value in of["prepared"].items() if key != "steps"}
    epochs = of["stock"]["epochs"]
    assert len({repr(epoch) for epoch in epochs}) == len(epochs), "each has an order of its own"
    assert {len(batch) for batch in epochs[0]} == {SEQUENCES[attention]}


@pytest.mark.parametrize("attention", SEQUENCES)
def test_there_are_as_many_steps_as_the_first_epoch_has_batches(found: dict[str, Any], attention: str) -> None:
    batches = len(found[attention]["prepared"]["epochs"][0])

    assert found[attention]["prepared"]["steps"] == batches // 4 * 3, "by four ranks, in three epochs"


def test_lengths_are_those_that_axolotl_reads_one_by_one(found: dict[str, Any]) -> None:
    assert found["same_lengths"]
