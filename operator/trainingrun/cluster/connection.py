"""How the API server is reached: from inside a pod, or by a kubeconfig."""

import os
from pathlib import Path
from typing import Any, Final

from kubernetes.aio import client, config
from kubernetes.aio.config.incluster_config import SERVICE_HOST_ENV_NAME, SERVICE_TOKEN_FILENAME

KUBECONFIG: Final = "KUBECONFIG"


async def configuration() -> Any:
    """The client's configuration; kubernetes' ConfigException when there is neither a kubeconfig nor a pod's token.

    $KUBECONFIG comes first, so that an operator can be run by hand anywhere. A pod's token is read again each minute
    by the configuration itself, since the kubelet renews the file.
    """
    made = client.Configuration()
    in_pod = SERVICE_HOST_ENV_NAME in os.environ and Path(SERVICE_TOKEN_FILENAME).exists()
    if in_pod and KUBECONFIG not in os.environ:
        config.load_incluster_config(made)
    else:
        await config.load_kube_config(os.environ.get(KUBECONFIG), client_configuration=made, persist_config=False)
    # Or each request would read the environment and ~/.netrc in a thread; a kubeconfig names its proxy itself.
    made.client_session_kwargs = {"trust_env": False}
    return made


async def bearer_token(made: Any) -> str | None:
    """The token that the configuration uses at the moment, None where it uses a client certificate."""
    header: str | None = await made.get_api_key_with_prefix("BearerToken")
    return header.split(" ", 1)[-1] if header else None
