"""How the API server is reached: from inside a pod, or by a kubeconfig."""

import os
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import aiohttp
import yaml
from aiohttp.client_reqrep import ClientResponse
from aiohttp.connector import AddrInfoType, Connection
from kubernetes.aio import client, config
from kubernetes.aio.config.incluster_config import SERVICE_HOST_ENV_NAME, SERVICE_TOKEN_FILENAME

from trainingrun.cluster.errors import NotActingError
from trainingrun.cluster.kinds import UNFENCED

KUBECONFIG: Final = "KUBECONFIG"
TOKEN_SECONDS: Final = 10.0  # after which a token's file is read again: the kubelet renews it in place
UNSENT_SECONDS: Final = 3.0  # how long the kernel may go on offering what the other side has not taken
READS: Final = ("GET", "HEAD")
UNFENCED_PLURALS: Final = frozenset(one.plural for one in UNFENCED)


class TokenFile:
    """A bearer token in a file that something else renews."""

    def __init__(self, path: Path, clock: Callable[[], float] = time.monotonic) -> None:
        """Nothing is read before it is asked for."""
        self._path, self._clock = path, clock
        self._read_at = float("-inf")

    def refresh(self, made: Any) -> None:
        """Put the token into a configuration, if it was read some seconds ago; a file that is gone changes nothing."""
        if self._clock() - self._read_at < TOKEN_SECONDS:
            return
        try:
            token = self._path.read_text().strip()
        except OSError:
            return
        if token:
            self._read_at = self._clock()
            made.api_key["BearerToken"] = f"Bearer {token}"


async def configuration() -> Any:
    """The client's configuration; kubernetes' ConfigException when there is neither a kubeconfig nor a pod's token.

    $KUBECONFIG comes first, so that an operator can be run by hand anywhere. A token that lies in a file, a pod's or
    the kubeconfig's `tokenFile`, is read again from time to time.
    """
    made = client.Configuration()
    in_pod = SERVICE_HOST_ENV_NAME in os.environ and Path(SERVICE_TOKEN_FILENAME).exists()
    if in_pod and KUBECONFIG not in os.environ:
        config.load_incluster_config(made)
        token: Path | None = Path(SERVICE_TOKEN_FILENAME)
    else:
        await config.load_kube_config(os.environ.get(KUBECONFIG), client_configuration=made, persist_config=False)
        token = _token_file(os.environ.get(KUBECONFIG))
    if token is not None:
        made.refresh_api_key_hook = TokenFile(token).refresh
    return made


def _token_file(kubeconfig: str | None) -> Path | None:
    """The `tokenFile` of a kubeconfig's current user; None where it has none, or where there are several files."""
    path = Path(kubeconfig or Path.home() / ".kube" / "config")
    if not path.is_file():
        return None
    document = yaml.safe_load(path.read_text())
    contexts = {one["name"]: one["context"] for one in document.get("contexts") or ()}
    users = {one["name"]: one["user"] for one in document.get("users") or ()}
    user = users.get((contexts.get(document.get("current-context")) or {}).get("user")) or {}
    return path.parent / user["tokenFile"] if user.get("tokenFile") else None


async def bearer_token(made: Any) -> str | None:
    """The token that the configuration uses at the moment, None where it uses a client certificate."""
    header: str | None = await made.get_api_key_with_prefix("BearerToken")
    return header.split(" ", 1)[-1] if header else None


def session(rest: Any, may_act: Callable[[], bool]) -> aiohttp.ClientSession:
    """The session of kubernetes' REST client, with a fence: NotActingError for a write while `may_act` says no."""
    connector = aiohttp.TCPConnector(limit=rest.maxsize, ssl=rest.ssl_context, socket_factory=_impatient_socket)
    # Or each request would read the environment and ~/.netrc in a thread; a kubeconfig names its proxy itself.
    return aiohttp.ClientSession(
        connector=connector, trust_env=False, read_bufsize=2**21, request_class=_fenced_request(may_act)
    )


def _fenced_request(may_act: Callable[[], bool]) -> type[aiohttp.ClientRequest]:
    class FencedRequest(aiohttp.ClientRequest):
        """A request that asks once more when its connection stands: making one may have taken seconds."""

        async def send(self, conn: Connection) -> ClientResponse:
            if self.method not in READS and UNFENCED_PLURALS.isdisjoint(self.url.parts) and not may_act():
                raise NotActingError(f"{self.method} {self.url.path} was not sent: this replica may not act any more.")
            return await super().send(conn)

    return FencedRequest


def _impatient_socket(address: AddrInfoType) -> socket.socket:
    """A socket that gives up what it can't get rid of, also when it is closed.

    Without a limit a write into a dead connection arrives when the connection heals, minutes after its sender has
    given up, and after another replica has taken over.
    """
    family, kind, protocol, _, _ = address
    made = socket.socket(family, kind, protocol)
    made.setblocking(False)
    option = getattr(socket, "TCP_USER_TIMEOUT", None)  # Linux
    if option is not None:
        made.setsockopt(socket.IPPROTO_TCP, option, int(UNSENT_SECONDS * 1000))
    return made
