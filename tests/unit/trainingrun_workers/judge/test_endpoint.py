"""The judge's protocol against a real HTTP server on loopback that errs as servers do."""

import email.utils
import socket
import threading
import time

import pytest

from trainingrun_workers.errors import BadConfig, Retry
from trainingrun_workers.judge.address import Address
from trainingrun_workers.judge.asking import Asked, replies
from trainingrun_workers.judge.endpoint import Endpoint, Limits, Reply
from unruly_judge import Answer, Server, said

KEY = "sk-very-secret"
QUICK = Limits(patience=0.4, first_wait=0.01, longest_wait=0.05, connect=2.0, read=2.0)


def endpoint(url: str, key: str | None = KEY, limits: Limits = QUICK) -> Endpoint:
    return Endpoint(Address("judge", "large", url, key), 64, limits)


def refusal(server: Server, *answers: Answer) -> str:
    server.answers = list(answers)
    with pytest.raises(BadConfig) as refused:
        endpoint(server.url).ask("Which?")
    assert KEY not in refused.value.message
    return refused.value.message


def test_the_question_reaches_the_server_as_the_protocol_has_it(server: Server) -> None:
    assert endpoint(server.url).ask("Which?") == Reply("[[A]]", "large-2026")
    (received,) = server.received
    assert (received["path"], received["authorization"]) == ("/v1/chat/completions", f"Bearer {KEY}")
    assert received["body"] == {
        "model": "large", "messages": [{"role": "user", "content": "Which?"}], "temperature": 0, "max_tokens": 64,
        "stream": False,
    }  # fmt: skip


def test_without_a_key_none_is_sent(server: Server) -> None:
    endpoint(server.url, key=None).ask("Which?")
    assert server.received[0]["authorization"] is None


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_server_that_is_busy_for_a_while_is_asked_again(server: Server, status: int) -> None:
    server.answers = [(status, {}, {"error": {"message": "busy"}}), (status, {}, "later"), said("[[B]]")]
    assert endpoint(server.url).ask("Which?").text == "[[B]]"
    assert len(server.received) == 3


@pytest.mark.parametrize("form", ["seconds", "date"])
def test_the_time_that_a_server_asks_for_is_waited_for(server: Server, form: str) -> None:
    later = {"seconds": "1", "date": email.utils.formatdate(time.time() + 2, usegmt=True)}[form]
    server.answers = [(429, {"Retry-After": later}, ""), said("[[A]]")]
    began = time.monotonic()
    endpoint(server.url, limits=Limits(patience=10, first_wait=0.01)).ask("Which?")
    assert time.monotonic() - began >= 0.9


def test_a_server_that_asks_for_more_time_than_there_is_ends_the_attempt_at_once(server: Server) -> None:
    server.answers = [(429, {"Retry-After": "3600"}, {"error": {"message": f"Quota of {KEY} is used up."}})]
    with pytest.raises(Retry) as later:
        endpoint(server.url, limits=Limits(patience=60)).ask("Which?")
    assert later.value.message == (
        "The judge at JUDGE_BASE_URL of Secret judge answered 429 (Quota of *** is used up.) at try 1 of one question "
        "and asks for 3600 s: the verdicts so far are kept, and the next attempt asks for the others."
    )
    assert int(later.value.exit_code) == 75


def test_a_server_that_stays_busy_ends_the_attempt_when_patience_is_over(server: Server) -> None:
    server.answers = [(500, {}, "Internal Server Error")]
    with pytest.raises(Retry, match=r"answered 500 \(Internal Server Error\)"):
        endpoint(server.url).ask("Which?")
    assert len(server.received) > 3


def test_a_server_that_is_away_or_says_nothing_ends_the_attempt(server: Server) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{free.getsockname()[1]}/v1"
        with pytest.raises(Retry, match=r"could not be reached \(ConnectionError\)") as away:
            endpoint(nobody).ask("Which?")
    assert "127.0.0.1" not in away.value.message
    server.seconds = 1.0
    with pytest.raises(Retry, match=r"could not be reached \(ReadTimeout\)"):
        endpoint(server.url, limits=Limits(patience=0.1, first_wait=0.1, read=0.2)).ask("Which?")


@pytest.mark.parametrize("status", [401, 403])
def test_a_key_that_is_not_taken_is_named_and_never_shown(server: Server, status: int) -> None:
    message = refusal(server, (status, {}, {"error": {"message": f"Incorrect API key provided: {KEY[:6]}***"}}))
    assert message == (
        f"The judge of Secret judge does not take the key (status {status}): mend JUDGE_API_KEY; then set spec.suspend "
        "to true and back to false."
    )


def test_a_model_that_is_not_there_is_told_in_the_servers_words(server: Server) -> None:
    message = refusal(server, (404, {}, {"error": {"message": f"No model large for {KEY}."}}))
    assert (
        "answered 404 (No model large for ***.): mend JUDGE_BASE_URL, which mostly ends with /v1, or JUDGE_MODEL"
        in message
    )


@pytest.mark.parametrize(
    "answer",
    [
        (200, {}, "<html>Sign in</html>"),
        (200, {}, {"choices": []}),
        (200, {}, [1]),
        (200, {}, {"choices": [{"text": 1}]}),
    ],
)
def test_a_server_of_another_protocol_is_refused(server: Server, answer: Answer) -> None:
    assert "does not answer as OpenAI's chat completions do: mend JUDGE_BASE_URL" in refusal(server, answer)


def test_a_question_that_is_refused_and_a_redirect_are_told(server: Server) -> None:
    refused = refusal(server, (400, {}, {"detail": "temperature must be 1"}))
    assert "refused a question with status 400 (temperature must be 1)" in refused
    assert "status 301" in refusal(server, (301, {"Location": "http://127.0.0.1:1/"}, ""))


def test_a_reply_without_text_is_an_empty_one_and_the_key_is_blotted_out_of_any(server: Server) -> None:
    server.answers = [said(None), said(f"Your key is {KEY}. [[A]]")]
    judge = endpoint(server.url)
    assert judge.ask("Which?").text == ""
    assert judge.ask("Which?").text == "Your key is ***. [[A]]"


def test_several_questions_are_out_at_the_same_time_and_each_gets_its_reply(server: Server) -> None:
    server.seconds = 0.2
    questions = [Asked(str(number), f"Number {number}?") for number in range(8)]
    began = time.monotonic()
    found = list(replies(endpoint(server.url), questions, 8))
    assert time.monotonic() - began < 8 * 0.2
    assert {asked.key for asked, _ in found} == {one.key for one in questions}
    assert len(server.received) == 8


def test_a_refusal_ends_all_threads_and_asks_nothing_more(server: Server) -> None:
    server.answers = [said("[[A]]"), (401, {}, "")]
    questions = [Asked(str(number), "Which?") for number in range(50)]
    with pytest.raises(BadConfig, match="JUDGE_API_KEY"):
        list(replies(endpoint(server.url), questions, 2))
    time.sleep(0.1)
    assert len(server.received) <= 5


def test_what_waits_is_called_off_when_the_stage_ends(server: Server) -> None:
    server.answers = [said("[[A]]"), (503, {"Retry-After": "60"}, "")]
    judge = endpoint(server.url, limits=Limits(patience=600))
    coming = replies(judge, [Asked("a", "Which?"), Asked("b", "Which?")], 1)
    next(coming)
    coming.close()  # type: ignore[attr-defined]
    limit = time.monotonic() + 5
    while any(one.name == "judge" for one in threading.enumerate()):
        assert time.monotonic() < limit
        time.sleep(0.01)


def test_nothing_to_ask_asks_nobody(server: Server) -> None:
    assert list(replies(endpoint(server.url), [], 4)) == []
    assert server.received == []
