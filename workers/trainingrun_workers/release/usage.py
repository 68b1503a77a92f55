"""The code that a card gives its readers, and what it printed when the released folder's own maker ran it."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from trainingrun_workers.contract import ReleaseSpec
from trainingrun_workers.errors import BadConfig

SECRETS: Final = ("HF_TOKEN", "HF_ENDPOINT")  # of a push: the card's code needs none
DEFAULT_PROMPT: Final = "Once upon a time"
CODE: Final = """\
from transformers import AutoModelForCausalLM, AutoTokenizer

folder = "."  # this folder
tokenizer = AutoTokenizer.from_pretrained(folder)
model = AutoModelForCausalLM.from_pretrained(folder)
{ask}
answer = model.generate(**inputs, max_new_tokens={new_tokens})
print(tokenizer.decode(answer[0][inputs["input_ids"].shape[1]:], skip_special_tokens=True))
"""
ASK: Final = 'inputs = tokenizer({prompt}, return_tensors="pt")'
ASK_CHAT: Final = """\
messages = [{{"role": "user", "content": {prompt}}}]
inputs = tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_tensors="pt", return_dict=True)"""


def usage_code(spec: ReleaseSpec, new_tokens: int) -> str:
    """Python that loads the folder it is run in and continues the first prompt."""
    prompt = json.dumps(next(iter(spec.prompts), DEFAULT_PROMPT), ensure_ascii=False)
    return CODE.format(ask=(ASK_CHAT if spec.chat else ASK).format(prompt=prompt), new_tokens=new_tokens)


def run_usage(code: str, folder: Path, command: Sequence[str] = (sys.executable, "-c")) -> str:
    """What the code prints in a process of its own in that folder; BadConfig with its last word where it fails."""
    environment = {key: value for key, value in os.environ.items() if key not in SECRETS}
    done = subprocess.run([*command, code], cwd=folder, env=environment, check=False, text=True, capture_output=True)
    if done.returncode != 0:
        last = next(reversed(done.stderr.strip().splitlines()), f"exit code {done.returncode}")
        raise BadConfig(
            "UsageFails",
            f"The code of the model's card fails on the released folder ({last[:300]}): mend the model's configuration "
            "or tokenizer, since nobody could use it.",
        )
    return done.stdout.strip()
