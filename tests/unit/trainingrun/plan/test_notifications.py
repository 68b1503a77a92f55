"""Messages to people: decided on with what they tell of, each once, whatever happens to the operator."""

import dataclasses
from typing import Any

from builders import SETTINGS, World, a_manifest
from trainingrun.api.status import Notification
from trainingrun.plan.observed import Delivery

HEARD = dataclasses.replace(SETTINGS, notifies=True)
HOUR = 3600.0


class People(World):
    """A world whose operator has an address; what has become of its messages is `deliveries`."""

    deliveries: tuple[Delivery, ...] = ()

    def __init__(self, manifest: dict[str, Any] | None = None) -> None:
        super().__init__(manifest, HEARD)

    def observed(self) -> Any:
        return dataclasses.replace(super().observed(), deliveries=self.deliveries)

    def messages(self, event: str = "") -> list[Notification]:
        return [one for one in self.run.status.notifications if event in ("", one.event)]

    def settles(self, error: str | None = None) -> "People":
        """Every message on its way is taken, or given up."""
        for one in self.plan().notify:
            self.deliveries += (Delivery(one.event, one.stage, one.at, self.now, error),)
        self.settle()
        return self


def training(manifest: dict[str, Any] | None = None) -> People:
    world = People(manifest)
    world.settle().completes("tokenize").settle()
    world.reports("pretrain", step=300, total=900).settle()
    return world


def test_a_finished_run_is_told_of_once() -> None:
    world = People()
    world.settle().now += HOUR / 2
    world.finished()
    (one,) = world.messages()
    assert (one.event, one.sent_at) == ("Finished", None)
    assert (one.text or "").startswith("Run default/tiny has finished after 30m0s.")
    assert world.plan().notify == (one,)
    world.settles()
    assert (world.messages()[0].text, bool(world.messages()[0].sent_at)) == (None, True)
    world.deliveries = ()  # the operator has started anew
    assert world.plan().notify == ()
    assert not world.step()


def test_an_operator_that_dies_before_it_has_noted_the_sending_goes_on_from_the_status() -> None:
    world = People()
    world.finished()
    before = world.plan().notify
    assert len(before) == 1
    world.wait(60)
    assert world.plan().notify == before, "the message is the same, with the same words and time"


def test_a_failed_stage_is_told_of_although_the_rest_goes_on() -> None:
    world = training()
    world.fails("pretrain", exit_code=78).wait(10)
    (one,) = world.messages()
    assert (one.event, one.stage) == ("Failed", "pretrain")
    assert "stage pretrain has failed (BadConfig)" in (one.text or "")


def test_a_stage_that_fails_again_after_it_was_mended_is_told_of_again() -> None:
    world = training()
    world.fails("pretrain", exit_code=78).wait(10)
    world.settles()
    world.edit(suspend=False)
    world.wait(10)
    assert world.stage("pretrain").phase == "Running"
    world.fails("pretrain", exit_code=78).wait(10)
    assert [bool(one.sent_at) for one in world.messages("Failed")] == [True, False]


def test_silence_is_told_of_once_until_the_run_gets_on() -> None:
    world = training()
    assert 3500 < (world.plan().requeue_after or 0) <= HOUR
    world.wait(HOUR - 1)
    assert not world.messages()
    world.wait(1)
    (one,) = world.messages()
    assert "has made no progress for 1h0m" in (one.text or "")
    assert "stage pretrain, 300 of 900 steps" in (one.text or "")
    assert [event.reason for event in world.events if event.reason == "Silent"] == ["Silent"]
    world.wait(HOUR)
    assert len(world.messages()) == 1
    world.reports("pretrain", step=301, total=900).settle()
    world.wait(HOUR)
    assert len(world.messages()) == 2


def test_a_restart_without_a_step_is_no_end_of_a_silence() -> None:
    world = training()
    world.wait(HOUR - 60)
    world.fails("pretrain", exit_code=75).wait(60)
    assert len(world.messages("Silent")) == 1


def test_reports_of_a_run_that_stands_still_are_no_progress() -> None:
    world = training()
    for _ in range(6):
        world.wait(HOUR / 6).reports("pretrain", step=300, total=900).settle()
    assert len(world.messages("Silent")) == 1


def test_a_run_that_is_suspended_may_be_silent_and_starts_anew_when_it_goes_on() -> None:
    world = training()
    world.edit(suspend=True)
    world.wait(10 * HOUR)
    world.edit(suspend=False)
    world.settle()
    world.wait(HOUR - 60)
    assert not world.messages()
    world.wait(60)
    assert len(world.messages("Silent")) == 1


def test_a_run_says_itself_what_is_told_of_and_after_which_silence() -> None:
    world = training(a_manifest(notifications={"events": ["Silent"], "silence": "2h"}))
    world.wait(HOUR)
    assert not world.messages()
    world.wait(HOUR)
    assert len(world.messages("Silent")) == 1
    world.fails("pretrain", exit_code=78).wait(10)
    assert not world.messages("Failed")


def test_a_run_may_be_left_out() -> None:
    world = training(a_manifest(notifications={"events": []}))
    world.wait(10 * HOUR).fails("pretrain", exit_code=78).wait(10)
    assert not world.messages()


def test_without_an_address_nothing_is_told_and_a_run_that_asks_is_warned() -> None:
    world = World(a_manifest(notifications={"events": ["Finished"]})).finished()
    assert not world.run.status.notifications
    assert [one for one in world.run.status.warnings if "notifications.secretName" in one]
    assert not World().finished().run.status.warnings


def test_runs_that_had_ended_before_there_was_an_address_are_not_told_of() -> None:
    world = World().finished()
    world.settings = HEARD
    world.wait(10 * HOUR)
    assert not world.run.status.notifications


def test_a_message_that_was_given_up_is_one_line_in_the_log_book() -> None:
    world = People()
    world.finished()
    world.settles(error="The server at hooks.example answered 404.")
    assert world.messages()[0].error == "The server at hooks.example answered 404."
    told = [event.message for event in world.events if event.reason == "NotificationFailed"]
    assert told == ["The message that tells of Finished: The server at hooks.example answered 404."]
    assert world.plan().notify == ()
