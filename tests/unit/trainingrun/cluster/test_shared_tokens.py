"""Runs on one claim that have a source in common, as the store shows them to each other and the plan decides."""

import copy
from typing import Any

from builders import World, a_manifest
from trainingrun.cluster.kinds import RUN
from trainingrun.cluster.shelf import Key
from trainingrun.cluster.store import Store


class Family:
    """Runs with the same English and a language of their own each, and the operator's store."""

    def __init__(self, *languages: str) -> None:
        self.rung: list[Key] = []
        self.store = Store(self.rung.append)
        self.worlds: dict[str, World] = {}
        self.version = 0
        for language in languages:
            self.add(language)

    def add(self, language: str) -> World:
        manifest = a_manifest(language)
        english, other = copy.deepcopy(manifest["spec"]["data"][:2])
        manifest["spec"]["data"] = [english, other | {"name": language, "path": f"raw/{language}"}]
        world = self.worlds[language] = World(manifest)
        world.manifest["metadata"]["uid"] = f"uid-of-{language}"
        self.show(language)
        return world

    def show(self, name: str) -> None:
        """What the watches show of a run."""
        self.version += 1
        raw = copy.deepcopy(self.worlds[name].manifest)
        raw["metadata"]["resourceVersion"] = str(self.version)
        self.store.put(RUN, raw)

    def settle(self) -> "Family":
        """Passes over all runs in turn until nothing is written any more."""
        while any([self.step(name) for name in self.worlds]):
            pass
        return self

    def step(self, name: str) -> bool:
        world = self.worlds[name]
        world.neighbours = self.store.neighbours("default", "quickstart", name)
        world.made = self.store.made("default", "quickstart")
        wrote = world.step()
        self.show(name)
        return wrote

    def at_work(self) -> list[str]:
        return [name for name in self.worlds if self.stage(name).phase == "Running"]

    def stage(self, name: str) -> Any:
        return self.worlds[name].stage("tokenize")


def test_at_first_one_makes_what_all_have_in_common_and_the_others_wait() -> None:
    family = Family("it", "es", "fr").settle()
    assert family.at_work() == ["it"]
    assert "Run it makes the same tokens of handbook-en on claim quickstart" in family.stage("fr").message


def test_once_one_has_made_it_all_others_go_on_at_once() -> None:
    family = Family("it", "es", "fr", "pt").settle()
    family.worlds["it"].completes("tokenize")
    family.rung.clear()
    family.settle()
    assert family.at_work() == ["es", "fr", "pt"]
    assert set(family.rung) >= {("default", name) for name in ("es", "fr", "pt")}, "nobody told them"


def test_one_that_comes_later_does_not_wait_for_those_that_use_what_is_made() -> None:
    family = Family("it").settle()
    family.worlds["it"].completes("tokenize")
    family.settle()
    family.add("es")
    family.settle()
    family.add("fr")
    assert family.settle().at_work() == ["es", "fr"]


def test_a_source_that_is_complete_is_not_waited_for_while_its_maker_goes_on_with_another() -> None:
    family = Family("it", "es").settle()
    family.worlds["it"].reports("tokenize", step=3, total=8, counts={"handbook-en.tokens": 7.0})
    assert family.settle().at_work() == ["it"]
    family.worlds["it"].now += 60
    counts = {"handbook-en.tokens": 9.0, "handbook-en.complete": 1.0}
    family.worlds["it"].reports("tokenize", step=4, total=8, counts=counts)
    family.rung.clear()
    assert family.settle().at_work() == ["it", "es"]
    assert ("default", "es") in family.rung


def test_a_run_that_is_suspended_makes_nothing_that_others_would_wait_for() -> None:
    family = Family("it", "es").settle()
    family.worlds["it"].edit(suspend=True)
    assert family.settle().at_work() == ["es"]
    family.worlds["it"].edit(suspend=False)
    assert family.settle().at_work() == ["es"]
    assert family.stage("it").reason == "FolderInUse"


def test_what_a_failed_run_had_not_finished_is_made_by_one_of_the_others() -> None:
    family = Family("it", "es", "fr").settle()
    family.worlds["it"].fails("tokenize", 65)
    assert family.settle().at_work() == ["es"]


def test_when_the_maker_is_deleted_the_next_waits_for_whom_it_can_see() -> None:
    family = Family("it", "es").settle()
    family.worlds["it"].completes("tokenize")
    family.settle()
    family.store.remove(RUN, "uid-of-it")
    del family.worlds["it"]
    family.add("fr")
    assert family.settle().at_work() == ["es"]
