"""Asks the judge by OpenAI's chat completions protocol, with patience for a server that is busy or away.

Fields after https://platform.openai.com/docs/api-reference/chat/create.
"""

import email.utils
import random
import threading
import time
from dataclasses import dataclass
from typing import Any, Final

import requests

from trainingrun_workers.errors import BadConfig, Retry
from trainingrun_workers.judge.address import KEY, MODEL, URL, Address

BUSY: Final = frozenset({408, 425, 429, 500, 502, 503, 504, 529})  # statuses that pass by themselves
_SHOWN: Final = 200  # characters of what a server says


@dataclass(frozen=True)
class Limits:
    """How long the judge is waited for, in seconds."""

    patience: float = 300.0  # since a question first failed, before the attempt ends
    first_wait: float = 1.0  # doubled with each failure
    longest_wait: float = 60.0  # a server that names another time is obeyed
    connect: float = 10.0
    read: float = 300.0


@dataclass(frozen=True)
class Reply:
    """What the judge said, and the name by which the server calls the model that said it."""

    text: str
    model: str


@dataclass(frozen=True)
class _Trouble:
    """Why a question has no reply yet; `wait` is how long the server asks for."""

    what: str
    wait: float | None = None


class Stopped(Exception):  # noqa: N818 - no error: the stage is ending
    """The wait for the judge was called off."""


class Endpoint:
    """The judge; several threads may ask at the same time."""

    def __init__(self, address: Address, max_tokens: int, limits: Limits | None = None) -> None:
        self._address, self._max_tokens, self._limits = address, max_tokens, limits or Limits()
        self.stop = threading.Event()  # set: nobody waits any more

    def ask(self, text: str) -> Reply:
        """The reply to a message; BadConfig where the judge refuses it, Retry where patience is over, Stopped."""
        began, failures = time.monotonic(), 0
        while True:
            found = self._once(text)
            if isinstance(found, Reply):
                return found
            wait = self._wait(found, failures)
            failures += 1
            if time.monotonic() - began + wait > self._limits.patience:
                raise self._given_up(found, failures)
            if self.stop.wait(wait):
                raise Stopped

    def _wait(self, trouble: _Trouble, failures: int) -> float:
        if trouble.wait is not None:
            return trouble.wait
        usual = self._limits.first_wait * 2.0 ** min(failures, 20)
        # Not all threads at the same moment.
        return min(usual, self._limits.longest_wait) * random.uniform(0.75, 1.0)

    def _given_up(self, trouble: _Trouble, failures: int) -> Retry:
        asked = f" and asks for {trouble.wait:.0f} s" if trouble.wait is not None else ""
        return Retry(
            "JudgeAway",
            f"The judge at {URL} of Secret {self._address.secret} {trouble.what} at try {failures} of one "
            f"question{asked}: the verdicts so far are kept, and the next attempt asks for the others.",
        )

    def _once(self, text: str) -> Reply | _Trouble:
        body = {
            "model": self._address.model,
            "messages": [{"role": "user", "content": text}],
            "temperature": 0,
            "max_tokens": self._max_tokens,
            "stream": False,
        }
        limits = self._limits
        try:
            # Not redirected: what a POST becomes behind a redirect differs, and the key is for this address alone.
            response = requests.post(
                f"{self._address.url}/chat/completions",
                json=body,
                auth=self._authorize,
                timeout=(limits.connect, limits.read),
                allow_redirects=False,
            )
        except requests.exceptions.SSLError as error:
            if "CERTIFICATE_VERIFY_FAILED" not in str(error):
                return _Trouble("broke off the connection (SSLError)")
            raise self._refused(
                "has a certificate that can't be verified: name a bundle of authorities that has its own by "
                "REQUESTS_CA_BUNDLE in the chart's worker.env"
            ) from error
        except requests.exceptions.RequestException as error:
            return self._unreached(error)
        return self._understood(response)

    def _unreached(self, error: requests.exceptions.RequestException) -> _Trouble:
        if isinstance(error, ValueError):  # an address or a header that can't be: InvalidURL, InvalidHeader and others
            raise self._refused(f"can't be asked ({type(error).__name__}): mend the key {URL}") from error
        return _Trouble(f"could not be reached ({type(error).__name__})")

    def _authorize(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        # As `auth`, not as a header, which a .netrc would replace.
        if self._address.key:
            request.headers["Authorization"] = f"Bearer {self._address.key}"
        return request

    def _understood(self, response: requests.Response) -> Reply | _Trouble:
        status = response.status_code
        if status in BUSY or status >= 500:
            return _Trouble(f"answered {status}{self._words(response)}", retry_after(response))
        if status in (401, 403):  # not in the server's words, which may show parts of the key
            raise self._refused(f"does not take the key (status {status}): mend {KEY}")
        if status == 404:
            raise self._refused(
                f"answered 404{self._words(response)}: mend {URL}, which mostly ends with /v1, or {MODEL}"
            )
        if status != 200:
            raise self._refused(
                f"refused a question with status {status}{self._words(response)}: mend {MODEL} or {URL}"
            )
        return self._reply(response)

    def _reply(self, response: requests.Response) -> Reply:
        try:
            content = response.json()
            text = content["choices"][0]["message"].get("content")
            return Reply(self._address.without_key(text or ""), str(content.get("model") or self._address.model))
        except (ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
            raise self._refused(
                f"does not answer as OpenAI's chat completions do: mend {URL}, which mostly ends with /v1"
            ) from error

    def _refused(self, what: str) -> BadConfig:
        return BadConfig(
            "JudgeRefused",
            f"The judge of Secret {self._address.secret} {what}; then set spec.suspend to true and back to false.",
        )

    def _words(self, response: requests.Response) -> str:
        """What the server says of an error, in parentheses, or nothing."""
        try:
            said: Any = response.json()
            error = said.get("error", said.get("detail", said.get("message")))
            said = error.get("message") if isinstance(error, dict) else error
        except (ValueError, AttributeError):
            said = response.text
        words = " ".join(self._address.without_key(str(said or "")).split())[:_SHOWN]
        return f" ({words})" if words else ""


def retry_after(response: requests.Response) -> float | None:
    """Seconds that a server asks to wait for, by RFC 9110's Retry-After: a number or a date."""
    value = response.headers.get("Retry-After", "").strip()
    if value.isdecimal():
        return float(value)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - time.time())
    except ValueError:
        return None
