"""The released folder tried out: transformers loads it and it continues some texts."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from trainingrun_workers.models import load_model, load_tokenizer, parameter_count
from trainingrun_workers.release.assembly import set_special_tokens
from trainingrun_workers.release.card import Trial


@dataclass(frozen=True)
class Loaded:
    """A released folder in memory."""

    model: Any
    tokenizer: Any

    @property
    def parameters(self) -> int:
        """Number of weights."""
        return parameter_count(self.model)


def load_release(folder: Path, cpu: bool) -> Loaded:
    """The folder's model and tokenizer, after its special tokens were made the tokenizer's; BadConfig on failure."""
    tokenizer = load_tokenizer(folder)
    names = ("bos_token_id", "eos_token_id", "pad_token_id")
    set_special_tokens(folder, {name: getattr(tokenizer, name) for name in names})
    return Loaded(load_model(folder, cpu), tokenizer)


def continue_texts(
    loaded: Loaded, prompts: Sequence[str], is_chat: bool, new_tokens: int, on_text: Callable[[int], None]
) -> tuple[Trial, ...]:
    """What the model writes after each prompt, greedily; a prompt keeps its end where both don't fit its context."""
    trials = []
    for number, prompt in enumerate(prompts, start=1):
        text = _asked(loaded.tokenizer, prompt) if is_chat else prompt
        inputs = loaded.tokenizer(text, return_tensors="pt", add_special_tokens=not is_chat)
        room = max(1, loaded.model.config.max_position_embeddings - new_tokens)
        ids = inputs["input_ids"][:, -room:].to(loaded.model.device)
        mask = inputs["attention_mask"][:, -room:].to(loaded.model.device)
        answer = loaded.model.generate(input_ids=ids, attention_mask=mask, max_new_tokens=new_tokens, do_sample=False)
        trials.append(Trial(prompt, loaded.tokenizer.decode(answer[0][ids.shape[1] :], skip_special_tokens=True)))
        on_text(number)
    return tuple(trials)


def versions() -> dict[str, str]:
    """Versions of the libraries that loaded the model."""
    return {name: metadata.version(name) for name in ("transformers", "torch", "huggingface_hub")}


def _asked(tokenizer: Any, prompt: str) -> str:
    messages = [{"role": "user", "content": prompt}]
    return str(tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False))
