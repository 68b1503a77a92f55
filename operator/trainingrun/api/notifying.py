"""Whom a run tells of what: the part of the spec about messages to people."""

from typing import Annotated, Final

from pydantic import Field

from trainingrun.api.base import Model
from trainingrun.api.status import NotifiedEvent

SILENCE_PATTERN: Final = r"^[1-9][0-9]{0,4}(m|h|d)$"  # a duration of a minute at least: each end of it is a message


class Notifications(Model):
    """Messages by webhook; the address is the installation's, in the chart's notifications."""

    events: Annotated[list[NotifiedEvent], Field(max_length=3)] | None = None
    """What is told of: Finished, Failed (a stage has), Silent (no progress for a time). An empty list tells of nothing;
    the installation decides where it is left out."""
    silence: Annotated[str, Field(pattern=SILENCE_PATTERN, max_length=32)] | None = None
    """Time without progress after which Silent is told, for example 90m or 2h; the installation's where it is left
    out."""
