"""The rows of a dpo stage's data sets: a question with an answer that was chosen and one that was rejected."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

from trainingrun_workers.sft.conversations import Fields, lacks, message_fault, shown, turn_fault
from trainingrun_workers.sft.templates import Template

RL: Final = "dpo"
_ROLES: Final = ("user", "assistant", "system", "tool")
_CHAT: Final = ("chat_template", "chat_template.default")
_WHOLE: Final = "chat_template.argilla_chat"  # both answers have the question before them
_SIDES: Final = ("chosen", "rejected")


def is_preferences(config: Mapping[str, Any]) -> bool:
    """Whether a configuration trains on pairs of answers."""
    return config.get("rl") == RL


@dataclass(frozen=True)
class Pairs:
    """Where a row has its question and its two answers, as Axolotl's strategies for DPO read them."""

    kind: str  # chat, whole (each answer with its question), prompt (texts), other
    asked: str | None  # field of the question
    answers: dict[str, str]  # field by side
    fields: Fields
    roles: frozenset[str]
    template: Template | None

    @classmethod
    def of(cls, item: Mapping[str, Any], config: Mapping[str, Any]) -> Self:
        """The fields that a data set of Axolotl's configuration names, with Axolotl's defaults."""
        kind = item.get("type")
        own: Mapping[str, Any] = kind if isinstance(kind, dict) else item
        answers = {side: own.get(f"field_{side}") or side for side in _SIDES}
        fields = Fields.of({**item, "type": "chat_template"})
        roles = frozenset(role for names in (item.get("roles") or {}).values() for role in names) or frozenset(_ROLES)
        if isinstance(kind, dict):
            return cls("prompt", own.get("field_prompt") or "prompt", answers, fields, roles, None)
        if kind in _CHAT:
            return cls("chat", fields.messages, answers, fields, roles, Template.of(item, config))
        return cls("whole" if kind == _WHOLE else "other", None, answers, fields, roles, None)

    @property
    def columns(self) -> tuple[str, ...]:
        """The fields that every row has."""
        if self.kind == "other":
            return ()
        return (*((self.asked,) if self.asked else ()), *self.answers.values())

    @property
    def mend(self) -> str:
        """The keys to set where a row lacks a field."""
        return f"{'field_prompt' if self.kind == 'prompt' else 'field_messages'}, field_chosen or field_rejected"

    def fault(self, row: Mapping[str, Any]) -> str | None:
        """What is wrong with a row, or None."""
        for name in self.columns:
            if name not in row:
                return f"has {lacks('field', name, list(row), self.mend)}"
        sides = [row.get(self.answers[side]) for side in _SIDES]
        if self.kind == "other" and None in sides:
            return None
        fault = self._question_fault(row) or self._answers_fault(row)
        return fault or self._same(sides) or self._render_fault(row)

    def _question_fault(self, row: Mapping[str, Any]) -> str | None:
        asked = row.get(self.asked) if self.asked else None
        if self.kind == "prompt" or self.kind == "chat" and isinstance(asked, str):
            good = isinstance(asked, str) and asked.strip()
            return None if good else f"has {shown(asked)} in {self.asked}, which takes a text: mend or remove it"
        return turn_fault(asked, self.fields, self.roles) if self.kind == "chat" else None

    def _answers_fault(self, row: Mapping[str, Any]) -> str | None:
        for name in self.answers.values():
            fault = self._answer_fault(name, row.get(name))
            if fault:
                return fault
        return None

    def _answer_fault(self, name: str, value: Any) -> str | None:
        if self.kind in ("prompt", "other") or self.kind == "chat" and isinstance(value, str):
            empty = value is None or isinstance(value, str) and not value.strip()
            wrong = self.kind == "prompt" and not isinstance(value, str)
            return f"has {shown(value)} in {name}, which takes an answer: mend or remove it" if empty or wrong else None
        if self.kind == "whole":
            if not isinstance(value, list) or len(value) < 2:
                return f"has {shown(value)} in {name}, which takes a list of messages: mend or remove it"
            return turn_fault(value, self.fields, self.roles, f" of {name}")
        last = value[-1] if isinstance(value, list) and value else value
        return message_fault(None, last, self.fields, self.roles, f" in {name}")

    def _same(self, sides: list[Any]) -> str | None:
        chosen, rejected = (self._text(side) for side in sides)
        if chosen != rejected:
            return None
        names = " and ".join(self.answers.values())
        return f"has the same answer in {names}, from which nothing can be learnt: mend or remove it"

    def _text(self, side: Any) -> Any:
        last = side[-1] if isinstance(side, list) and side else side
        text = last.get(self.fields.content) if isinstance(last, dict) else last
        return text.strip() if isinstance(text, str) else text

    def _render_fault(self, row: Mapping[str, Any]) -> str | None:
        asked = row.get(self.asked) if self.asked else None
        if self.template is None or isinstance(asked, str):
            return None
        return self.template.fault(self.fields.plain(asked or ()), asks=True)
