"""A Kubernetes for the tests and the demo on any machine, with nothing but Python's standard library.

Three ways, one interface: the cluster of `$KUBECONFIG` where the user has set it; kind where a container engine
answers (written, never run by the authors); else a Kubernetes built from source, of one or two real nodes.

For the command line see `cli`. From Python:

- `cluster.up(nodes=1)`, `cluster.down()`, `cluster.kubeconfig()`;
- `api_only.api_server(folder)`: a context manager with an API server and its etcd alone, for tests that need no pods.

Images. `buildkit.start()` (`cluster.py buildkit`) starts containerd and BuildKit, without the rest of the cluster,
and returns BuildKit's address; building into it is all it takes, since the kubelet runs from the same store:

    address=$(cluster.py buildkit)
    cluster.py exec -- buildctl --addr "$address" build --frontend dockerfile.v0 \\
        --opt force-network-mode=host --allow network.host \\
        --local context=FOLDER --local dockerfile=FOLDER --opt filename=Containerfile \\
        --local certs=/etc/ssl/certs --opt context:certs=local:certs \\
        --output type=image,name=localhost/NAME:TAG,compression=uncompressed,unpack=true

- The build's RUN steps have the machine's network, but not its certificate authorities: mount them where they are
  needed, `RUN --mount=type=bind,from=certs,source=ca-certificates.crt,target=/etc/ssl/certs/ca-certificates.crt`.
- Pods name such an image with `imagePullPolicy: IfNotPresent` or `Never`; there is no registry.
- Other nodes have the first one's images as they were when they started. After a build, `cluster.py sync-images
  [IMAGE…]` restarts those that lack one (or any) with the new ones, their pods ended as by a power cut.
- `cluster.py exec -- COMMAND` has kubectl, helm, buildctl and etcd on its PATH, and KUBECONFIG and BUILDKIT_HOST set.

Everything lives in `$TRAININGRUN_CACHE` (default `~/.cache/trainingrun`): `programs/` by content, and `cluster/` with
the state, `cluster/logs/` and `cluster/kubeconfig`. Checkouts share both. containerd's images outlive `down`.
"""
