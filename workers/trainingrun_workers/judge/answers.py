"""What the models answer: greedily, by their chat template where they have one, and kept as soon as it is there."""

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from trainingrun_workers.contract import EvaluatedModel, JudgeSpec
from trainingrun_workers.errors import BadConfig
from trainingrun_workers.judge.journal import Journal, key_of
from trainingrun_workers.judge.prompts import Prompt
from trainingrun_workers.models import load_model, load_tokenizer

LOGGER = logging.getLogger(__name__)


def answers(
    spec: JudgeSpec,
    model: EvaluatedModel,
    source: Path,
    prompts: Sequence[Prompt],
    journal: Journal,
    advance: Callable[[int], None],
) -> tuple[str, ...]:
    """The model's answer to each prompt; `advance` is told how many more there are. The model is loaded only where one
    is missing; BadConfig where a prompt doesn't fit its context together with an answer."""
    keys = [key_of(model.folder, spec.max_tokens, one.text) for one in prompts]
    missing = [number for number, key in enumerate(keys) if journal.get(key) is None]
    advance(len(keys) - len(missing))
    if missing:
        writer = _Writer(source, model.name, spec)
        tokens = {number: writer.tokens(prompts[number].text, number + 1) for number in missing}
        writer.load()
        for start in range(0, len(missing), spec.batch_size):
            batch = missing[start : start + spec.batch_size]
            for number, made in zip(batch, writer.write([tokens[one] for one in batch]), strict=True):
                journal.add({"key": keys[number], "model": model.name, "prompt": prompts[number].text, **made})
            advance(len(batch))
    return tuple(str((journal.get(key) or {})["answer"]) for key in keys)


class _Writer:
    """A model that continues texts."""

    def __init__(self, source: Path, name: str, spec: JudgeSpec) -> None:
        if not (source / "config.json").is_file():
            raise BadConfig("ModelMissing", f"There is no model {name} at {source}: put one there, or mend its path.")
        self._source, self._name, self._spec = source, name, spec
        self._tokenizer = load_tokenizer(source)
        self._room = _context(source)
        self._model: Any = None

    def load(self) -> None:
        """Load the weights, which takes its time."""
        self._model = load_model(self._source, self._spec.cpu)

    def tokens(self, prompt: str, number: int) -> list[int]:
        """The prompt's tokens as the model reads it; `number` counts the prompts from 1."""
        ids = self._ids(prompt)
        if self._room is not None and len(ids) + self._spec.max_tokens > self._room:
            raise BadConfig(
                "PromptTooLong",
                f"Prompt {number} has {len(ids)} tokens for model {self._name}, which with judge.maxTokens "
                f"{self._spec.max_tokens} is more than its context of {self._room}: shorten the prompt, or lower "
                "judge.maxTokens.",
            )
        return ids

    def _ids(self, prompt: str) -> list[int]:
        from jinja2 import TemplateError

        if not getattr(self._tokenizer, "chat_template", None):
            return list(self._tokenizer(prompt)["input_ids"])
        messages = [{"role": "user", "content": prompt}]
        try:
            text = self._tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
        except TemplateError as error:
            raise BadConfig(
                "ChatTemplateInvalid", f"The chat template of model {self._name} does not render a user's turn: {error}"
            ) from error
        return list(self._tokenizer(text, add_special_tokens=False)["input_ids"])

    def write(self, batch: list[list[int]]) -> list[dict[str, Any]]:
        """The answer to each text, with the number of its tokens and whether it came to its end."""
        import torch
        from transformers import GenerationConfig

        ends = _ends(self._model, self._tokenizer)
        pad = self._tokenizer.pad_token_id if self._tokenizer.pad_token_id is not None else (ends or [0])[0]
        width = max(map(len, batch))
        # Padded on the left: what is written begins at the same place in every row.
        ids = torch.tensor([[pad] * (width - len(row)) + row for row in batch], device=self._model.device)
        mask = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in batch], device=self._model.device)
        # A configuration of its own, so that no sampling that comes with the model has a say.
        settings = GenerationConfig(
            max_new_tokens=self._spec.max_tokens, do_sample=False, eos_token_id=ends or None, pad_token_id=pad
        )
        with torch.inference_mode():
            made = self._model.generate(input_ids=ids, attention_mask=mask, generation_config=settings)
        return [self._answer(row, ends) for row in made[:, width:].tolist()]

    def _answer(self, row: list[int], ends: list[int]) -> dict[str, Any]:
        end = next((place for place, token in enumerate(row) if token in ends), None)
        text = self._tokenizer.decode(row[:end], skip_special_tokens=True).strip()
        return {"answer": text, "tokens": len(row[:end]), "ended": end is not None}


def _context(source: Path) -> int | None:
    """Positions that the model has, where its configuration tells."""
    from transformers import AutoConfig

    try:
        config = AutoConfig.from_pretrained(str(source), local_files_only=True)
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise BadConfig(
            "ModelInvalid", f"The folder {source} holds no model that transformers knows: {error}"
        ) from error
    return getattr(config, "max_position_embeddings", None)


def _ends(model: Any, tokenizer: Any) -> list[int]:
    """The tokens at which an answer is over: the model's own, one or several, and the tokenizer's."""
    own = model.generation_config.eos_token_id
    listed = own if isinstance(own, list) else [own]
    return sorted({one for one in (*listed, tokenizer.eos_token_id) if one is not None})
