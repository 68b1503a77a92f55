"""The building line: what is missing is built, two images at a time, each after what it is built on."""

import tempfile
from collections.abc import Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from local_cluster.progress import heartbeat, say

from building import rootfs, secret_files
from building.catalogue import CATALOGUE
from building.content import Plan
from building.store import Recipe, Store

_AT_ONCE: Final = 2


@dataclass
class Line:
    """Builds images of a plan, by the names that `references` has for them, into a store; logs go to `logs`."""

    plan: Plan
    references: Mapping[str, str]
    store: Store
    logs: Path
    _ahead: dict[str, Future[None]] = field(default_factory=dict)

    def build(self, names: Iterable[str]) -> list[str]:
        """Build what the store lacks of the images, given in building order; returns the names of those built."""
        there = self.store.references()
        missing = [name for name in names if self.references[name] not in there]
        if self.plan.base_image and "rootfs" in missing:
            missing.remove("rootfs")
        if not missing:
            return []
        seconds = sum(CATALOGUE[name].seconds for name in missing)
        say(f"building {len(missing)} images, about {seconds / 60:.0f} min cold: {', '.join(missing)}")
        self.logs.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(_AT_ONCE) as pool:
            known = secret_files.write(Path(folder))
            for name in missing:
                # A base was submitted before, so it runs or is done: waiting for it in a thread never blocks it.
                self._ahead[name] = pool.submit(self._one, name, known)
            for future in self._ahead.values():
                future.result()
        return missing

    def _one(self, name: str, known: dict[str, Path]) -> None:
        base = CATALOGUE[name].base
        if base in self._ahead:
            self._ahead[base].result()
        log = self.logs / f"{name}.log"
        with heartbeat(f"image {name}", CATALOGUE[name].seconds), tempfile.TemporaryDirectory() as folder:
            context = self.plan.checkout
            if name == "rootfs":
                context = Path(folder)
                rootfs.make(context, self.plan.containerfile(name).parent / "packages.txt", log)
            self.store.build(self._recipe(name, context, known, log))

    def _recipe(self, name: str, context: Path, known: dict[str, Path], log: Path) -> Recipe:
        base = CATALOGUE[name].base
        arguments = {**self.plan.build_arguments(name), **secret_files.proxies()}
        if base and not (base == "rootfs" and self.plan.base_image):
            arguments["BASE_IMAGE"] = self.references[base]
        return Recipe(self.references[name], self.plan.containerfile(name), context, arguments, known, log)
