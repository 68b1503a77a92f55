"""The operator's environment: what the chart sets, each variable once."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from trainingrun.api.base import seconds
from trainingrun.stages.settings import ROLES, Settings

PREFIX: Final = "TRAININGRUN_"


class SettingsError(ValueError):
    """A variable that can't be read, in a sentence that names it."""


def _json_map(text: str) -> dict[str, Any]:
    decoded = json.loads(text)
    if not isinstance(decoded, dict):
        raise ValueError("it is not a JSON object")
    return decoded


def _json_maps(text: str) -> tuple[dict[str, Any], ...]:
    decoded = json.loads(text)
    if not isinstance(decoded, list) or not all(isinstance(one, dict) for one in decoded):
        raise ValueError("it is not a JSON list of objects")
    return tuple(decoded)


def _names(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _flag(text: str) -> bool:
    if text not in ("true", "false"):
        raise ValueError("it is neither true nor false")
    return text == "true"


def _lease(text: str) -> tuple[str, str] | None:
    namespace, slash, name = text.partition("/")
    if text and not (namespace and slash and name):
        raise ValueError("it is not NAMESPACE/NAME")
    return (namespace, name) if text else None


def _url(text: str) -> str:
    """A URL whose host may be an IPv6 address without its brackets, as a pod's own is given."""
    scheme, _, rest = text.partition("://")
    host, _, port = rest.rpartition(":")
    return f"{scheme}://[{host}]:{port}" if ":" in host and not host.startswith("[") else text


def _optional_whole(text: str) -> int | None:
    return int(text) if text else None


# Fields of `Settings`, by the variable that sets them.
STAGE_VARIABLES: Final[dict[str, tuple[str, Callable[[str], Any]]]] = {
    "IMAGES": ("images", _json_map),
    "CUSTOM_ENGINES": ("custom_engines", _json_map),
    "IMAGE_PULL_POLICY": ("image_pull_policy", str),
    "IMAGE_PULL_SECRETS": ("image_pull_secrets", _names),
    "WORKER_SERVICE_ACCOUNT": ("worker_service_account", str),
    "REPORT_URL": ("report_url", lambda text: text.rstrip("/") or None),
    "REPORT_SECONDS": ("report_seconds", float),
    "PROGRESS_SECONDS": ("progress_seconds", float),
    "TOKEN_SECONDS": ("token_seconds", int),
    "RUN_AS_USER": ("run_as_user", int),
    "RUN_AS_GROUP": ("run_as_group", int),
    "FS_GROUP": ("fs_group", _optional_whole),
    "RUNTIME_CLASS": ("runtime_class_name", lambda text: text or None),
    "NODE_SELECTOR": ("node_selector", _json_map),
    "TOLERATIONS": ("tolerations", _json_maps),
    "AFFINITY": ("affinity", _json_map),
    "PRIORITY_CLASS": ("priority_class_name", lambda text: text or None),
    "POD_LABELS": ("pod_labels", _json_map),
    "POD_ANNOTATIONS": ("pod_annotations", _json_map),
    "WORKER_ENV": ("worker_env", _json_map),
    "DEFAULT_RESOURCES": ("default_resources", _json_map),
    "SHM_SIZE": ("shm_size", str),
    "NOTIFIES": ("notifies", _flag),
    "NOTIFY_EVENTS": ("notify_events", _names),
    "NOTIFY_SILENCE": ("notify_silence_seconds", seconds),
}
# Fields of `OperatorSettings`, likewise.
OPERATOR_VARIABLES: Final[dict[str, tuple[str, Callable[[str], Any]]]] = {
    "NAMESPACES": ("namespaces", _names),
    "READ_NODES": ("read_nodes", _flag),
    "WORKERS": ("workers", int),
    "PORT": ("port", int),
    "LISTEN": ("listen", str),
    "PERIOD_SECONDS": ("period_seconds", float),
    "AUDIT_SECONDS": ("audit_seconds", float),
    "SILENCE_SECONDS": ("silence_seconds", float),
    "DEAF_SECONDS": ("deaf_seconds", float),
    "LEASE": ("lease", _lease),
    "LEASE_SECONDS": ("lease_seconds", int),
    "IDENTITY": ("identity", str),
    "ADDRESS": ("address", _url),
    "LOG_LEVEL": ("log_level", str),
    "NOTIFY_ADDRESS_FILE": ("notify_address_file", str),
    "NOTIFY_CLUSTER": ("notify_cluster", str),
}


@dataclass(frozen=True)
class OperatorSettings:
    """What concerns the operator's own process."""

    namespaces: tuple[str, ...] = ()  # that are watched; all where there are none
    read_nodes: bool = True  # whether the operator may read nodes, to tell lost ones
    workers: int = 12  # passes at the same time
    port: int = 8080  # of reports, metrics and probes
    listen: str = ""  # address to listen on; all where it is empty
    period_seconds: float = 120.0  # between two passes over a run that nothing rings
    audit_seconds: float = 45.0  # between two comparisons of the watches with the API server
    silence_seconds: float = 70.0  # of a watch until it is made anew; the API server says something each minute
    deaf_seconds: float = 180.0  # since the watches were last in step until the probe fails
    lease: tuple[str, str] | None = None  # namespace and name of the Lease that lets one replica act; None to act alone
    lease_seconds: int = 12  # after the last renewal until another replica takes over
    identity: str = ""  # of this replica, the same after a restart of its container; made up where it is empty
    address: str = ""  # URL at which other replicas reach this one
    log_level: str = "INFO"
    notify_address_file: str = ""  # whose content is the URL that messages to people are sent to
    notify_cluster: str = ""  # what stands before each message, for people with several clusters


def stage_settings(environment: Mapping[str, str]) -> Settings:
    """What reaches the decisions; SettingsError for a variable that can't be read or an image that is missing."""
    settings = Settings(**_read(environment, STAGE_VARIABLES))
    missing = [role for role in ROLES if not settings.images.get(role)]
    if missing:
        raise SettingsError(
            f"{PREFIX}IMAGES names no image for {', '.join(missing)}: set images.{missing[0]} in the chart's values."
        )
    return settings


def operator_settings(environment: Mapping[str, str]) -> OperatorSettings:
    """What concerns the process; SettingsError for a variable that can't be read."""
    return OperatorSettings(**_read(environment, OPERATOR_VARIABLES))


def _read(environment: Mapping[str, str], table: Mapping[str, tuple[str, Callable[[str], Any]]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for variable, (field, parse) in table.items():
        text = environment.get(PREFIX + variable)
        if text is None:
            continue
        try:
            found[field] = parse(text)
        except ValueError as error:
            raise SettingsError(f"{PREFIX}{variable} can't be read as {text!r}: {error}.") from error
    return found
