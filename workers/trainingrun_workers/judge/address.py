"""Where the judge is: the keys of the run's Secret, which reach the pod as environment variables."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

from trainingrun_workers.errors import BadConfig

URL: Final = "JUDGE_BASE_URL"
KEY: Final = "JUDGE_API_KEY"
MODEL: Final = "JUDGE_MODEL"


@dataclass(frozen=True)
class Address:
    """The judge's address; neither its URL nor its key is ever printed."""

    secret: str  # the Secret's name
    model: str
    url: str = field(repr=False)  # without /chat/completions
    key: str | None = field(repr=False)

    @classmethod
    def of(cls, secret: str, environment: Mapping[str, str]) -> "Address":
        """The address in the environment; BadConfig, by the name of the Secret's key, where it is not whole."""
        url, key, model = (environment.get(name, "").strip() for name in (URL, KEY, MODEL))
        for name, value in ((URL, url), (MODEL, model)):
            if not value:
                raise BadConfig(
                    "JudgeAddressInvalid", f"Secret {secret} has no key {name}, or it is empty: give it one."
                )
        if not _is_plain(url):
            raise BadConfig(
                "JudgeAddressInvalid",
                f"{URL} of Secret {secret} is no address that a judge can have: write it as https://host/v1, with "
                f"neither a user nor a query; a key belongs into {KEY}.",
            )
        if not key.isascii() or not key.isprintable():
            raise BadConfig(
                "JudgeKeyInvalid", f"{KEY} of Secret {secret} has characters that no header can carry: write it anew."
            )
        return cls(secret, model, url.rstrip("/").removesuffix("/chat/completions"), key or None)

    def without_key(self, text: str) -> str:
        """A text from outside in which the key, should it be there, is blotted out."""
        return text.replace(self.key, "***") if self.key else text


def _is_plain(url: str) -> bool:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return False
    bare = not (parts.query or parts.fragment or parts.username or parts.password)
    return parts.scheme in ("http", "https") and bool(parts.hostname) and port != 0 and bare and url.isprintable()
