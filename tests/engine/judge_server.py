"""Judges and those they judge: tiny Llamas that learn a few replies by heart, and `transformers serve` before them."""

import json
import os
import re
import socket
import subprocess
import time
import urllib.error
import urllib.request
from contextlib import closing
from pathlib import Path
from typing import Final

from engine.release_runs import TEMPLATE
from engine.stage_runs import EXAMPLE

SECONDS: Final = 120.0  # until it answers, on a machine that does much else
SERVE: Final = "from transformers.cli.transformers import main; main()"
LEARN: Final = """
import json, sys, torch
from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM
torch.set_num_threads(1)
source, template, lessons = sys.argv[1:4]
tokenizer = AutoTokenizer.from_pretrained(source)
tokenizer.chat_template = template
end = tokenizer.convert_tokens_to_ids("<|im_end|>")
for folder, pairs in json.loads(open(lessons).read()).items():
    torch.manual_seed(7)
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=64, intermediate_size=128, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=1024, bos_token_id=0, eos_token_id=end, tie_word_embeddings=True,
    )
    model = LlamaForCausalLM(config)
    rows, labels = [], []
    for prompt, reply in pairs:
        turn = [{"role": "user", "content": prompt}]
        asked = tokenizer.apply_chat_template(turn, add_generation_prompt=True, tokenize=False)
        before = tokenizer(asked, add_special_tokens=False)["input_ids"]
        after = tokenizer(reply, add_special_tokens=False)["input_ids"] + [end]
        rows.append(before + after)
        labels.append([-100] * len(before) + after)
    width = max(map(len, rows))
    assert width < 1000, width
    ids = torch.tensor([row + [end] * (width - len(row)) for row in rows])
    mask = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in rows])
    targets = torch.tensor([row + [-100] * (width - len(row)) for row in labels])
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    learned = targets[:, 1:] != -100  # the vocabulary is looked at where a reply is, which is most of the work
    for step in range(600):
        hidden = model.model(input_ids=ids, attention_mask=mask).last_hidden_state[:, :-1]
        loss = torch.nn.functional.cross_entropy(model.lm_head(hidden[learned]), targets[:, 1:][learned])
        if loss < 0.01:
            break
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    print(folder, len(pairs), "replies of", width, "tokens at most, learned in", step, "steps to", loss.item())
    assert loss < 0.05, f"{folder} has not learned its replies: {loss}"
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
"""
Lessons = dict[Path, list[tuple[str, str]]]


def learn(python: Path, lessons: Lessons, scratch: Path) -> str:
    """A model in each folder that gives to each prompt, in its chat template, just the reply beside it; the log."""
    file = scratch / "lessons.json"
    file.write_text(json.dumps({str(folder): pairs for folder, pairs in lessons.items()}))
    command = [str(python), "-c", LEARN, str(EXAMPLE / "tokenizer"), TEMPLATE, str(file)]
    done = subprocess.run(command, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert done.returncode == 0, done.stdout[-4000:]
    return done.stdout


class JudgeServer:
    """`transformers serve`, whose models are folders; with `model` it takes no other."""

    def __init__(self, python: Path, folder: Path, model: Path | None = None) -> None:
        with closing(socket.socket()) as free:
            free.bind(("127.0.0.1", 0))
            self.port = int(free.getsockname()[1])
        self.log = folder / f"judge-server-{self.port}.log"
        pinned = [str(model)] if model else []
        command = [str(python), "-c", SERVE, "serve", *pinned, "--host", "127.0.0.1", "--port", str(self.port)]
        environment = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(folder / "hub"), "OMP_NUM_THREADS": "1"}
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [*command, "--device", "cpu"], env=environment, stdout=log, stderr=subprocess.STDOUT
            )

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def wait(self) -> None:
        """Return once it answers."""
        limit = time.monotonic() + SECONDS
        while time.monotonic() < limit:
            assert self.process.poll() is None, self.log.read_text()[-4000:]
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/health", timeout=5):
                    return
            except (urllib.error.URLError, OSError):
                time.sleep(0.2)
        raise AssertionError(
            f"The judge's server did not answer within {SECONDS:.0f} s: {self.log.read_text()[-4000:]}"
        )

    def asked(self) -> int:
        """Questions that have reached it."""
        return len(re.findall(r"\[Request received\]", self.log.read_text()))

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
