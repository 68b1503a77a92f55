"""The chart's values about what people are shown and told."""

from typing import Annotated

from pydantic import Field

from trainingrun.api.chart_base import OptionalName, Strings, Values
from trainingrun.api.notifying import SILENCE_PATTERN
from trainingrun.api.status import NotifiedEvent


class Rules(Values):
    """A PrometheusRule for the Prometheus operator."""

    enabled: bool = False
    """Whether there is one."""
    labels: Strings = {}
    """Its labels, by which a Prometheus chooses its rules."""
    no_progress_seconds: Annotated[int, Field(ge=60)] = 3600
    """Seconds without progress of a run until TrainingRunNoProgress fires."""
    checkpoint_seconds: Annotated[int, Field(ge=60)] = 21600
    """Age of a training stage's newest checkpoint, in seconds, until TrainingRunCheckpointTooOld fires."""
    failures_in_a_row: Annotated[int, Field(ge=1, le=5)] = 3
    """Failures of a stage without progress between them until TrainingRunRestarting fires; five end the stage."""


class Dashboard(Values):
    """A ConfigMap with a dashboard, for Grafana's sidecar."""

    enabled: bool = False
    """Whether there is one."""
    namespace: OptionalName = ""
    """Where the sidecar looks; the release's own where it is empty."""
    labels: Strings = {"grafana_dashboard": "1"}
    """Its labels, by which the sidecar knows it."""
    annotations: Strings = {}
    """Its annotations, for example the folder that it is put into."""


class MetricsValues(Values):
    """What Prometheus and Grafana are given besides the metrics."""

    rules: Rules = Rules()
    """A PrometheusRule for the Prometheus operator."""
    dashboard: Dashboard = Dashboard()
    """A ConfigMap with a dashboard, for Grafana's sidecar."""


class NotificationValues(Values):
    """Messages to people by webhook, as Slack takes them."""

    secret_name: OptionalName = ""
    """A Secret in the release's namespace that holds the address; no messages where it is empty."""
    secret_key: Annotated[str, Field(pattern=r"^[-._a-zA-Z0-9]+$", max_length=253)] = "url"
    """The Secret's key."""
    events: Annotated[list[NotifiedEvent], Field(max_length=3)] = ["Finished", "Failed", "Silent"]
    """What is told of, of runs that do not say."""
    silence: Annotated[str, Field(pattern=SILENCE_PATTERN)] = "1h"
    """Time without progress after which Silent is told, likewise."""
    cluster: Annotated[str, Field(max_length=64)] = ""
    """Stands before each message, in brackets."""
