"""The torch engine's model by itself: documents that don't see each other, and types that a card doesn't have."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from trainingrun.api.gpu_memory import LOGITS, kept_by_a_layer
from trainingrun.api.gpu_memory import Shape as Memory

WORKERS = Path(__file__).parents[2] / "workers"

DOCUMENTS = """
import torch
from trainingrun_workers.torch_engine.model import Llama, Shape, initialise

torch.manual_seed(1)
shape = Shape(64, 32, 64, 2, 4, 2, 1e-5, 10000.0, True, end_of_text=0)
model = Llama(shape).double()
initialise(model, 0.3, 1)
lengths = (5, 1, 9, 17)
row = torch.cat([torch.cat((torch.randint(1, 64, (length - 1,)), torch.tensor([0]))) for length in lengths])
row = torch.cat((row, torch.tensor([7])))[None]
whole = model(row[:, :-1], row[:, 1:])
start, alone = 0, 0.0
for length in lengths:
    part = row[:, start : start + length + 1]
    alone += model(part[:, :-1], part[:, 1:]) * length / sum(lengths)
    start += length
plain = Llama(Shape(64, 32, 64, 2, 4, 2, 1e-5, 10000.0, True)).double()
plain.load_state_dict(model.state_dict())
print(float(whole - alone), float(whole - plain(row[:, :-1], row[:, 1:])))
"""

TYPES = """
from types import SimpleNamespace
from trainingrun_workers.errors import BadConfig
from trainingrun_workers.torch_engine.engine import need_type

for dtype, has in (("float32", False), ("bfloat16", True), ("bfloat16", False)):
    try:
        need_type(SimpleNamespace(config={"model": {"dtype": dtype}}), "Tesla T4", has)
        print("fine")
    except BadConfig as error:
        print(error.reason, error.message)
"""

KEPT = """
import torch
from trainingrun_workers.torch_engine.model import Llama, Shape

def kept(layers, recompute, head):
    model = Llama(Shape(512, 64, 160, layers, 4, 2, 1e-5, 10000.0, True), recompute).train()
    known, seen = {one.untyped_storage().data_ptr() for one in model.parameters()}, {}
    def keep(tensor):
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in known:
            seen[storage.data_ptr()] = tensor
        return tensor
    ids = torch.randint(0, 512, (2, 128))
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda one: one), torch.autocast("cpu", torch.bfloat16):
        model(ids, ids) if head else model.model(ids)
    return sum(one.untyped_storage().nbytes() for one in seen.values())

for recompute in (False, True):
    print((kept(3, recompute, False) - kept(1, recompute, False)) // 2)
print(kept(1, False, True) - kept(1, False, False))
"""


def printed(python: Path, script: str) -> str:
    made = subprocess.run([python, "-c", script], env={"PYTHONPATH": str(WORKERS)}, capture_output=True, text=True)
    assert made.returncode == 0, made.stderr
    return made.stdout


def test_a_windows_loss_is_that_of_its_documents_alone(engine_python: Callable[[str], Path]) -> None:
    difference, unmasked = (float(one) for one in printed(engine_python("nanotron"), DOCUMENTS).split())
    assert abs(difference) < 1e-6
    assert abs(unmasked) > 1e-3, "without masking it is another one"


def test_bfloat16_on_a_card_without_it_is_refused_with_a_way_out(engine_python: Callable[[str], Path]) -> None:
    first, second, third = printed(engine_python("nanotron"), TYPES).splitlines()
    assert (first, second) == ("fine", "fine")
    assert third.startswith("TypeUnknownToCard The Tesla T4 does not compute in bfloat16: set model.dtype to float32")


def test_what_autograd_keeps_is_what_is_reckoned_before_a_run_starts(engine_python: Callable[[str], Path]) -> None:
    """A layer's share, with and without recomputing, and the last layer's, in bytes, within 3 % of the formula."""
    layer, again, last = (int(line) for line in printed(engine_python("nanotron"), KEPT).splitlines())
    tokens, shape = 2 * 128, Memory(64, 160, 1, 4, 32, 512, 128, 0, False)
    assert layer == pytest.approx(kept_by_a_layer(shape) * tokens + 2 * shape.layer_parameters, rel=0.03)
    assert again == pytest.approx(4 * shape.hidden * tokens, rel=0.03)
    assert last < LOGITS["torch"] * tokens * shape.vocabulary
