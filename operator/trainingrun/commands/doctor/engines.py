"""Findings about engines of people's own: whether the chart's values have the images that runs name."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from trainingrun.commands.doctor.facts import Facts, seen
from trainingrun.commands.doctor.findings import Finding, fail, ok, warn
from trainingrun.commands.doctor.installed import custom_images
from trainingrun.commands.doctor.needs import Needs

OVER: Final = ("Succeeded", "Failed")  # phases of runs that train no more


def custom(facts: Facts, needs: Needs | None) -> Iterator[Finding]:
    """Each run whose engine the installation has no image for: the one that is asked about, and those that are there.

    Nothing where no operator says which images it has, as those of before there were custom engines.
    """
    known = [images for one in seen(facts.operators) if (images := custom_images(one)) is not None]
    named = _named(facts, needs)
    if not known or not named:
        return
    there = sorted({entry for images in known for entry in images})
    lacking = {run: entry for run, entry in named.items() if entry not in there}
    for run, entry in lacking.items():
        say = fail if needs is None or run == needs.name else warn
        yield say(
            "engines",
            f"Run {run} names the custom engine {entry}, for which the chart's values have no image; there are: "
            f"{', '.join(there) or 'none'}.",
            f"Set images.custom.{entry} in the chart's values, or name another as pretrain.custom.image.",
        )
    if not lacking:
        yield ok("engines", f"Custom engines that runs name are there: {', '.join(sorted(set(named.values())))}.")


def _named(facts: Facts, needs: Needs | None) -> dict[str, str]:
    """The entry that each run names, by the run's name, without runs that are over."""
    found = {
        one["metadata"]["name"]: ((one["spec"].get("pretrain") or {}).get("custom") or {}).get("image")
        for one in seen(facts.runs)
        if (one.get("status") or {}).get("phase") not in OVER
    }
    if needs is not None:
        found[needs.name] = needs.engine
    return {run: str(entry) for run, entry in found.items() if entry}
