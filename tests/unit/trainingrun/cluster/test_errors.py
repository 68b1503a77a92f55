import json

import pytest

from trainingrun.cluster.errors import RefusedError, TemporaryError, from_response

QUOTA = 'jobs.batch "x" is forbidden: exceeded quota: q, requested: count/jobs.batch=1'
WEBHOOK = 'Internal error occurred: failed calling webhook "v": context deadline exceeded'


def a_status(message: str) -> bytes:
    return json.dumps({"kind": "Status", "message": message}).encode()


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (500, WEBHOOK),
        (403, 'failed calling webhook "v": connection refused'),
        (429, "storage is (re)initializing"),
        (409, "the object has been modified"),
        (503, "etcd leader changed"),
        (401, "Unauthorized"),
    ],
)
def test_what_passes_by_itself_is_tried_again(status: int, message: str) -> None:
    assert isinstance(from_response(status, {}, a_status(message)), TemporaryError)


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (403, QUOTA),
        (404, "the server could not find the requested resource"),
        (422, "spec.template: field is immutable"),
        (400, "unknown field"),
        (409, 'Apply failed with 1 conflict: conflict with "kubectl": .data.x'),
    ],
)
def test_what_the_api_server_refuses_is_told_in_its_own_words(status: int, message: str) -> None:
    error = from_response(status, {}, a_status(message))
    assert isinstance(error, RefusedError)
    assert (error.message, error.status) == (message, status)


def test_the_wait_that_the_api_server_asks_for_is_known() -> None:
    assert from_response(429, {"Retry-After": "7"}, b"").retry_after == 7.0
    assert from_response(429, {"Retry-After": "soon"}, b"").retry_after is None


def test_an_answer_that_is_no_status_is_told_all_the_same() -> None:
    assert from_response(502, {}, b"Bad Gateway\nnginx").message == "Bad Gateway"
    assert from_response(502, {}, b"").message == "The API server answered 502."
    assert from_response(502, {}, b"[1]").message == "The API server answered 502."
