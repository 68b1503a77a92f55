"""What a store's errors mean, each a StageError of one sentence.

SourceMissing     BadData     no such bucket, repository or file
SourceForbidden   BadConfig   no key, a wrong key, or one that may not read this
AddressInvalid    BadConfig   an address or an endpoint that can't be one
SourceUnreachable Retry       no network, a server that is away or too busy, and whatever nobody knows
"""

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from trainingrun_workers.errors import BadConfig, BadData, Retry, StageError

MISSING: Final = "mend the source's path, or, if it is a private repository, HF_TOKEN in the pod's environment"
ADDRESS: Final = "mend the source's path, AWS_ENDPOINT_URL or HF_ENDPOINT"
AWAY: Final = "what is done stays, and the stage is tried again by itself"

# Signs in the text of an error (pyarrow and the hub's library tell most things by their texts alone), then what is the
# matter and what to do. The first row that fits counts.
_CAUSES: Final = (
    (
        r"NO_SUCH_BUCKET|NoSuchBucket",
        (BadData, "SourceMissing"),
        "there is no such bucket: mend the source's path, or AWS_ENDPOINT_URL if the bucket is at another server",
    ),
    (r"InvalidBucketName", (BadConfig, "AddressInvalid"), f"no bucket can have that name: {ADDRESS}"),
    (
        r"INVALID_ACCESS_KEY|InvalidAccessKey|SIGNATURE_DOES_NOT_MATCH|SignatureDoesNotMatch|access key ID",
        (BadConfig, "SourceForbidden"),
        "the server doesn't take the pod's key: mend AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in its environment",
    ),
    (
        r"ACCESS_DENIED|\(HTTP status 40[13]\)|40[13] Client Error|Unauthorized|Forbidden",
        (BadConfig, "SourceForbidden"),
        "the pod has no key that may read there: let its key read there, or set AWS_ACCESS_KEY_ID and "
        "AWS_SECRET_ACCESS_KEY (for hf:// HF_TOKEN) in its environment",
    ),
    (r"offline mode", (BadConfig, "SourceForbidden"), "take HF_HUB_OFFLINE out of the pod's environment"),
    (r"", (Retry, "SourceUnreachable"), AWAY),
)
_NOISE: Final = re.compile(r"^When .*?: (?=AWS Error)|AWS Error | ?\(Request ID: [^)]*\)|; Details: .*$")


@contextmanager
def explained(what: str) -> Iterator[None]:
    """Turn an error of a store into a StageError about `what`, an address in quotes."""
    try:
        yield
    except StageError:
        raise
    except FileNotFoundError as error:
        raise BadData("SourceMissing", f"There is nothing at {what}: {MISSING}.") from error
    except _reading_errors() as error:
        text = _NOISE.sub("", " ".join(str(error).split()))[:300].rstrip(".") or type(error).__name__
        (kind, reason), why = next((kind, why) for sign, kind, why in _CAUSES if re.search(sign, text))
        raise kind(reason, f"{what} can't be read ({text}): {why}.") from error
    except (ValueError, NotImplementedError) as error:
        raise BadConfig("AddressInvalid", f"{what} is no address to read from ({error}): {ADDRESS}.") from error


def _reading_errors() -> tuple[type[Exception], ...]:
    """OSError, and what the hub's library lets through of its HTTP library, where that was ever imported."""
    httpx = sys.modules.get("httpx")
    return (OSError, httpx.HTTPError) if httpx else (OSError,)
