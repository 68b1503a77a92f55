"""A chat template of the configuration's own, tried on rows before Axolotl is: it names neither file nor line."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NoReturn, Self

from trainingrun_workers.errors import BadConfig

_SHOWN: Final = 200  # characters of a fault in a message
_TOKENS: Final = ("bos_token", "eos_token", "pad_token", "unk_token")
_OF_TRANSFORMERS: Final = re.compile(r"{%-?\s*generation\b")  # a block that jinja alone does not know


class Template:
    """A template with what transformers gives it besides messages."""

    def __init__(self, text: str, tokens: Mapping[str, Any]) -> None:
        """BadConfig where the text is no template."""
        import jinja2
        from jinja2.ext import loopcontrols
        from jinja2.sandbox import ImmutableSandboxedEnvironment

        environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols])
        environment.globals["raise_exception"] = _raise
        environment.globals["strftime_now"] = lambda form: datetime.now().strftime(form)  # noqa: DTZ005  # as theirs
        self._tokens = {name: tokens.get(name) or "" for name in _TOKENS}
        self._errors = (jinja2.TemplateError, TypeError, ValueError, KeyError)
        try:
            self._template = environment.from_string(text)
        except jinja2.TemplateSyntaxError as error:
            raise BadConfig(
                "TemplateInvalid",
                f"chat_template_jinja is no template ({error.message} at line {error.lineno}): mend it.",
            ) from error

    @classmethod
    def of(cls, item: Mapping[str, Any], config: Mapping[str, Any]) -> Self | None:
        """The template that a data set's rows are rendered with; None for one that Axolotl or the tokenizer brings."""
        text = item.get("chat_template_jinja") or (None if item.get("chat_template") else _of_all(config))
        if not isinstance(text, str) or _OF_TRANSFORMERS.search(text):
            return None
        return cls(text, config.get("special_tokens") or {})

    def fault(self, messages: Sequence[Mapping[str, Any]], asks: bool = False) -> str | None:
        """Why the messages can't be rendered, or None; `asks` has the template begin an answer."""
        given: dict[str, Any] = {"messages": messages, "add_generation_prompt": asks, "tools": None, **self._tokens}
        try:
            self._template.render(**given)
        except self._errors as error:
            words = " ".join(str(error).split())[:_SHOWN].rstrip(".")
            return f"can't be rendered by chat_template_jinja ({words}): mend the template or the row"
        return None


def _of_all(config: Mapping[str, Any]) -> Any:
    return config.get("chat_template_jinja") if config.get("chat_template") in (None, "jinja") else None


def _raise(message: str) -> NoReturn:
    raise ValueError(message)
