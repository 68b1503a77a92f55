"""`python -m trainingrun.controller.definition`: puts this operator's definition of TrainingRuns in place.

The chart's hook runs it at each installation and upgrade, since Helm installs what lies in crds/ once and never
upgrades it. The definition is replaced and not merged into: what a newer one leaves out has to go as well. One of a
newer operator stays, so that an older chart takes no fields away from runs that use them.
"""

import asyncio
import logging
import re
import sys
from typing import Any, Final

from kubernetes.aio.config import ConfigException

import trainingrun
from trainingrun.api import names
from trainingrun.api.crd import crd
from trainingrun.cluster.client import Client
from trainingrun.cluster.connection import configuration
from trainingrun.cluster.errors import ClusterError, StaleError, TemporaryError
from trainingrun.cluster.kinds import DEFINITION

VERSION: Final = f"{names.GROUP}/version"  # annotation of the definition: the operator that has put it in place
TRIES: Final = 5
PAUSE: Final = 2.0  # seconds between two tries

logger = logging.getLogger(__name__)


class AbsentError(Exception):
    """There is no definition to replace, in a sentence that says what to do."""


async def put(client: Client) -> str:
    """Replace the definition and yield what was done; AbsentError where there is none, ClusterError of the API server.

    The right to make definitions can't be held to a name, so that one that is absent is not made here.
    """
    wanted = crd()
    name = wanted["metadata"]["name"]
    found = await client.get(DEFINITION, None, name)
    if found is None:
        raise AbsentError(
            f"The API server has no definition {name}: install without --skip-crds, or apply the chart's crds/ folder."
        )
    before = (found["metadata"].get("annotations") or {}).get(VERSION, "")
    if _number(before) > _number(trainingrun.__version__):
        return f"Definition {name} is that of version {before}, newer than {trainingrun.__version__}: it stays."
    annotations = {**(found["metadata"].get("annotations") or {}), VERSION: trainingrun.__version__}
    changed = {**found, "metadata": {**found["metadata"], "annotations": annotations}, "spec": wanted["spec"]}
    await client.replace(DEFINITION, changed)
    return f"Definition {name} is now that of version {trainingrun.__version__}."


def _number(version: str) -> tuple[int, ...]:
    """The numbers of a version, by which it compares; none for a text without any."""
    return tuple(int(part) for part in re.findall(r"\d+", version)[:3])


async def _run() -> str:
    client = Client(await configuration())
    try:
        return await _persistently(client)
    finally:
        await client.close()


async def _persistently(client: Client) -> str:
    for left in reversed(range(TRIES)):
        try:
            return await put(client)
        except (TemporaryError, StaleError) as error:
            if not left:
                raise
            logger.warning("It is tried again: %s", error.message)
            await asyncio.sleep(PAUSE)
    raise AssertionError("unreachable")


def main() -> int:
    """The exit code: 1 where the definition could not be put in place, with a sentence on standard error."""
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(message)s")
    try:
        print(asyncio.run(_run()))
    except (AbsentError, ClusterError, ConfigException) as error:
        print(f"trainingrun: the definition was not upgraded: {_words(error)}", file=sys.stderr)
        return 1
    return 0


def _words(error: Any) -> str:
    return str(error.message) if isinstance(error, ClusterError) else str(error)


if __name__ == "__main__":
    sys.exit(main())
