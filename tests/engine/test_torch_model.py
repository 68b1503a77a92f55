"""The torch engine's model by itself: documents that don't see each other, and types that a card doesn't have."""

import subprocess
from collections.abc import Callable
from pathlib import Path

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
