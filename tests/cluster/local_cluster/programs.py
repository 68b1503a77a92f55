"""The programs built from Go modules: pinned in `go/NAME/go.mod` and `go.sum`, built once, kept by content."""

import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from local_cluster.errors import ClusterError
from local_cluster.paths import GO_FOLDERS, locked, programs
from local_cluster.progress import heartbeat
from local_cluster.shell import output

KUBERNETES_VERSION = "1.35.4"
_KEPT_FOR = 14 * 24 * 3600.0  # seconds that an outdated build is kept


@dataclass(frozen=True)
class Program:
    """A folder of `go/` and what is built from it."""

    packages: Mapping[str, str]  # name of the program -> Go package
    seconds: float  # what a cold build took on 2 cores
    links: tuple[str, ...] = ()  # further names of the first program
    variables: Mapping[str, str] = field(default_factory=dict)  # string variables set by the linker
    data: Mapping[str, str] = field(default_factory=dict)  # folder beside the programs -> "MODULE FOLDER" it is from
    tags: tuple[str, ...] = ()  # of Go's build constraints


_VERSION = "k8s.io/component-base/version"
PROGRAMS = {
    "buildkit": Program(
        {
            "buildkitd": "github.com/moby/buildkit/cmd/buildkitd",
            "buildctl": "github.com/moby/buildkit/cmd/buildctl",
        },
        seconds=120,
    ),
    "cluster-tools": Program({"cluster-tools": "."}, seconds=5),
    "kubernetes": Program(
        {"kubernetes": "."},
        seconds=270,
        links=("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy", "kubelet", "kubectl"),
        variables={
            f"{_VERSION}.gitVersion": f"v{KUBERNETES_VERSION}",
            f"{_VERSION}.gitMajor": KUBERNETES_VERSION.split(".")[0],
            f"{_VERSION}.gitMinor": KUBERNETES_VERSION.split(".")[1],
        },
    ),
    "etcd": Program({"etcd": "go.etcd.io/etcd/server/v3"}, seconds=35),
    "coredns": Program({"coredns": "."}, seconds=90),
    "local-path-provisioner": Program(
        {"local-path-provisioner": "github.com/rancher/local-path-provisioner"}, seconds=40
    ),
    "training-operator": Program(
        {"manager": "github.com/kubeflow/training-operator/cmd/training-operator.v1"},
        seconds=60,
        data={"manifests": "github.com/kubeflow/training-operator manifests"},
    ),
    "helm": Program({"helm": "helm.sh/helm/v4/cmd/helm"}, seconds=90),
    "kwok": Program(
        {"kwok": "sigs.k8s.io/kwok/cmd/kwok"}, seconds=100, data={"stage": "sigs.k8s.io/kwok kustomize/stage"}
    ),
    "kind": Program({"kind": "sigs.k8s.io/kind"}, seconds=30),
    "scheduler-plugins": Program(
        {
            "gang-scheduler": "sigs.k8s.io/scheduler-plugins/cmd/scheduler",
            "gang-controller": "sigs.k8s.io/scheduler-plugins/cmd/controller",
        },
        seconds=170,
        data={"definitions": "sigs.k8s.io/scheduler-plugins config/crd/bases"},
    ),
    "versitygw": Program({"versitygw": "github.com/versity/versitygw/cmd/versitygw"}, seconds=60),  # an S3 server
    "prometheus": Program(
        {
            "prometheus": "github.com/prometheus/prometheus/cmd/prometheus",
            "promtool": "github.com/prometheus/prometheus/cmd/promtool",
        },
        seconds=200,
        tags=("remove_all_sd",),  # no clouds' service discovery: targets are given by address; no web page either
    ),
    "crane": Program({"crane": "github.com/google/go-containerregistry/cmd/crane"}, seconds=40),  # copies images
    "kubeconform": Program(
        {"kubeconform": "github.com/yannh/kubeconform/cmd/kubeconform"},
        seconds=45,
        data={"definitions": "github.com/prometheus-operator/prometheus-operator example/prometheus-operator-crd"},
    ),
}
# Built by `build` with no name and by `up`; the others are built when first asked for.
ON_DEMAND = ("kwok", "kind", "scheduler-plugins", "versitygw", "prometheus", "crane", "kubeconform")


def content_hash(folder: Path, program: Program) -> str:
    """The name of a build's content: 12 hex digits over the folder's files and all that is asked of the compiler."""
    asked = (program.packages, program.links, program.variables, program.data, *program.tags)
    digest = hashlib.sha256(repr(asked).encode())
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        digest.update(f"\0{path.relative_to(folder)}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def folder_of(name: str) -> Path:
    """The folder that a program's build has, whether it is there or not; raises ClusterError for an unknown name."""
    if name not in PROGRAMS:
        raise ClusterError(f"There is no program {name!r} to build: choose from {', '.join(PROGRAMS)}.")
    return programs() / f"{name}-{content_hash(GO_FOLDERS / name, PROGRAMS[name])}"


def built(name: str) -> Path:
    """The folder with a program, built now if it was not."""
    folder = folder_of(name)
    if not folder.exists():
        with locked(f"build-{name}"):
            if not folder.exists():  # another process may have built it while this one waited
                _build(name, folder)
    return folder


def search_path() -> str:
    """PATH with every built program that is not on demand in front."""
    folders = [str(folder_of(name)) for name in PROGRAMS if folder_of(name).exists()]
    return os.pathsep.join([*folders, os.environ.get("PATH", os.defpath)])


def _build(name: str, folder: Path) -> None:
    if not shutil.which("go"):
        raise ClusterError(f"Go is needed to build {name}: install Go 1.26 from https://go.dev/dl and put it on PATH.")
    program, source = PROGRAMS[name], GO_FOLDERS / name
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{name}-") as temporary:
        made = Path(temporary) / "made"
        made.mkdir(mode=0o755)
        with heartbeat(f"building {name}", expected=program.seconds):
            for binary, package in program.packages.items():
                _compile(source, package, made / binary, program)
        for link in program.links:
            (made / link).symlink_to(next(iter(program.packages)))
        for target, origin in program.data.items():
            _copy_from_module(source, origin, made / target)
        made.rename(folder)
    _remove_old_builds(name)


def _remove_old_builds(name: str) -> None:
    # Another checkout may still use a younger one.
    for old in programs().glob(f"{name}-*"):
        if old.stat().st_mtime < time.time() - _KEPT_FOR:
            shutil.rmtree(old)


def _environment() -> dict[str, str]:
    # Whatever the machine's own settings are: the versions of go.sum, no C, nothing taken from a repository around it.
    return {**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "-mod=readonly -buildvcs=false -trimpath", "GOWORK": "off"}


def _compile(source: Path, package: str, target: Path, program: Program) -> None:
    linker = " ".join(["-s", "-w", *(f"-X {name}={value}" for name, value in program.variables.items())])
    flags = ["-ldflags", linker, "-tags", ",".join(program.tags)]
    output(["go", "build", *flags, "-o", target, package], folder=source, environment=_environment())


def _copy_from_module(source: Path, origin: str, target: Path) -> None:
    module, inside = origin.split()
    root = output(["go", "list", "-m", "-f", "{{.Dir}}", module], folder=source, environment=_environment()).strip()
    shutil.copytree(Path(root) / inside, target, copy_function=shutil.copyfile)
    for path in [target, *target.rglob("*")]:  # the module cache is read-only
        path.chmod(0o755 if path.is_dir() else 0o644)
