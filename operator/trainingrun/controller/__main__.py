"""`python -m trainingrun.controller`: the operator."""

import gc
import logging
import os
import sys

import uvloop
from kubernetes.aio.config import ConfigException

from trainingrun.cluster.connection import configuration
from trainingrun.controller.process import Operator
from trainingrun.controller.settings import OperatorSettings, SettingsError, operator_settings, stage_settings
from trainingrun.stages.settings import Settings


async def _run(settings: Settings, own: OperatorSettings) -> int:
    return await Operator(await configuration(), settings, own).run()


def main() -> int:
    """Run until told to end; 2 for an environment that can't be read."""
    try:
        settings, own = stage_settings(os.environ), operator_settings(os.environ)
        logging.basicConfig(
            level=own.log_level, stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
        )
        quiet_libraries()
        spare_the_collector()
        return uvloop.run(_run(settings, own))
    except (SettingsError, ConfigException) as error:
        print(f"trainingrun: {error}", file=sys.stderr)
        return 2


def spare_the_collector() -> None:
    """Look for cycles rarely: with Python's own thresholds that is a quarter of the time that many runs take.

    Nearly all that is made here goes by its count of references. What was imported is never garbage.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


def quiet_libraries() -> None:
    """kopf tells of each handler that it has called: only its warnings are worth a line."""
    for name in ("kopf", "aiohttp", "asyncio"):
        logging.getLogger(name).setLevel(logging.WARNING)


if __name__ == "__main__":
    sys.exit(main())
