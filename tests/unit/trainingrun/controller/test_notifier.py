"""Messages against a real HTTP server: failures are tried again, refusals given up, and the address never told."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from aiohttp import web

from trainingrun.api.status import Notification
from trainingrun.api.training_run import Metadata
from trainingrun.cluster.deliveries import Deliveries
from trainingrun.cluster.shelf import Key
from trainingrun.controller.notifier import Notifier
from trainingrun.plan.draft import timestamp

RUN = Metadata(name="tiny", namespace="team", uid="uid")
SECRET = "T000/B000/very-secret"
NOW = 1_800_000_000.0


class People:
    """A server that takes messages, after as many failures as the test says."""

    def __init__(self) -> None:
        self.answers: list[int] = []  # statuses to answer with, before 200
        self.taken: list[str] = []
        self.tries = 0
        self.address = ""

    async def take(self, request: web.Request) -> web.Response:
        self.tries += 1
        if self.answers:
            return web.Response(status=self.answers.pop(0), text=f"no such hook: {request.path}")
        body = await request.json()
        assert list(body) == ["text"], "this is all that Slack needs"
        self.taken.append(body["text"])
        return web.Response(text="ok")


@pytest.fixture
async def people() -> AsyncIterator[People]:
    one = People()
    application = web.Application()
    application.router.add_post(f"/services/{SECRET}", one.take)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    one.address = f"http://127.0.0.1:{port}/services/{SECRET}"
    yield one
    await runner.cleanup()


class Post:
    """A notifier at work, with what became of its messages."""

    def __init__(self, folder: Path, clock: Callable[[], float] = lambda: NOW) -> None:
        self.file, self.deliveries, self.outcomes = folder / "address", Deliveries(), []
        self.rung: asyncio.Queue[Key] = asyncio.Queue()
        self.acts = True
        self.notifier = Notifier(
            str(self.file), "prod", self.deliveries, self.rung.put_nowait, lambda: self.acts, self.outcomes.append,
            clock, first_wait=0.01,
        )  # fmt: skip
        self.task = asyncio.create_task(self.notifier.run())

    outcomes: list[str]

    async def settled(self) -> str | None:
        """Wait until a message is settled; why it was given up."""
        assert await asyncio.wait_for(self.rung.get(), 10) == ("team", "tiny")
        return self.deliveries.of("uid")[-1].error

    async def close(self) -> None:
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)


@pytest.fixture
async def post(tmp_path: Path, people: People) -> AsyncIterator[Post]:
    one = Post(tmp_path)
    one.file.write_text(f"{people.address}\n")
    yield one
    await one.close()


def a_message(text: str = "Run team/tiny has finished.") -> Notification:
    return Notification(event="Finished", at=timestamp(NOW), text=text)


async def test_a_message_that_fails_first_arrives_once(post: Post, people: People) -> None:
    people.answers = [500, 503, 429]
    message = a_message()
    post.notifier.add(RUN, message)
    post.notifier.add(RUN, message)  # every pass asks for it until the status says that it was sent
    assert await post.settled() is None
    post.notifier.add(RUN, message)
    await asyncio.sleep(0.05)
    assert people.taken == ["[prod] Run team/tiny has finished."]
    assert post.outcomes == ["repeated"] * 3 + ["sent"]


async def test_what_would_be_a_link_or_a_call_to_everybody_is_text(post: Post, people: People) -> None:
    post.notifier.add(RUN, a_message("<!channel> a & b"))
    assert await post.settled() is None
    assert people.taken == ["[prod] &lt;!channel&gt; a &amp; b"]


async def test_a_refused_message_is_given_up_at_once_without_a_word_of_the_address(
    post: Post, people: People, caplog: pytest.LogCaptureFixture
) -> None:
    people.answers = [404]
    with caplog.at_level(logging.DEBUG):
        post.notifier.add(RUN, a_message())
        error = await post.settled()
    assert error == "The server at 127.0.0.1 answered 404."
    assert people.tries == 1
    assert len(caplog.records) == 1
    assert "secret" not in caplog.text


async def test_a_redirect_is_not_followed(post: Post, people: People) -> None:
    people.answers = [302]
    post.notifier.add(RUN, a_message())
    assert await post.settled() == "The server at 127.0.0.1 answered 302."


@pytest.mark.parametrize(
    "address", ["", "hooks.example/very-secret", "http://", "http://[very-secret", "ftp://a/very-secret"]
)
async def test_an_address_that_is_none_is_told_of_once_and_the_mended_one_is_used(
    address: str, post: Post, people: People, caplog: pytest.LogCaptureFixture
) -> None:
    post.file.write_text(address)
    post.notifier.add(RUN, a_message())
    while "repeated" not in post.outcomes:
        await asyncio.sleep(0.01)
    post.file.write_text(people.address)
    assert await post.settled() is None
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "notifications.secretName" in caplog.text
    assert "very-secret" not in caplog.text


async def test_a_server_that_is_away_and_a_secret_that_is_missing_are_given_up_after_hours(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for content, said in ((None, "can't be read"), (f"http://127.0.0.1:9/{SECRET}", "127.0.0.1 can't be reached")):
        post = Post(tmp_path, clock=lambda: NOW + 6 * 3600)
        post.file.unlink(missing_ok=True)
        if content is not None:
            post.file.write_text(content)
        post.notifier.add(RUN, a_message())
        assert said in str(await post.settled())
        assert post.outcomes == ["given up"]
        await post.close()
    assert "secret" not in caplog.text.replace("secretName", "")


async def test_a_replica_that_may_not_act_sends_nothing(post: Post, people: People) -> None:
    post.acts = False
    post.notifier.add(RUN, a_message())
    while "repeated" not in post.outcomes:
        await asyncio.sleep(0.01)
    assert people.tries == 0


async def test_nothing_more_is_sent_about_a_run_that_is_gone(post: Post, people: People) -> None:
    people.answers = [500] * 1000
    post.notifier.add(RUN, a_message())
    while not people.tries:
        await asyncio.sleep(0.01)
    post.notifier.forget("uid")
    await asyncio.sleep(0.05)
    tries = people.tries
    await asyncio.sleep(0.1)
    assert people.tries == tries
