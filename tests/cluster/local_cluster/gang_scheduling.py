"""Gang scheduling: sigs.k8s.io/scheduler-plugins as a second scheduler, PodGroups by the training-operator."""

import contextlib
import json
import socket
from functools import partial
from pathlib import Path

from local_cluster import training_operator
from local_cluster.kubectl import Manifest, apply, kubectl
from local_cluster.paths import state, write
from local_cluster.processes import Process, stop_all
from local_cluster.programs import built

SCHEDULER = "scheduler-plugins-scheduler"  # as the chart of scheduler-plugins names it
_CONTROLLER = "scheduler-plugins-controller"
_CUSTOM_RESOURCES = ("podgroups.scheduling.x-k8s.io", "elasticquotas.scheduling.x-k8s.io")
_SCHEDULER_PORT, _CONTROLLER_PORT = 10261, 10262


def processes() -> list[Process]:
    """The scheduler and the controller that keeps the status of PodGroups, processes of this machine."""
    return [Process("gang-scheduler", state()), Process("gang-controller", state())]


def turn_on(kubeconfig: Path) -> None:
    """Start the second scheduler, then let the training-operator make a PodGroup for each of its jobs."""
    definitions = built("scheduler-plugins") / "definitions"
    apply(kubeconfig, "---\n".join(path.read_text() for path in sorted(definitions.glob("*.yaml"))))
    apply(kubeconfig, _rights())
    names = [f"customresourcedefinition/{name}" for name in _CUSTOM_RESOURCES]
    kubectl(kubeconfig, "wait", "--for=condition=Established", "--timeout=60s", *names)
    _start(kubeconfig)
    training_operator.install(kubeconfig, gang_scheduler=SCHEDULER)
    training_operator.wait(kubeconfig)


def turn_off(kubeconfig: Path) -> None:
    """Leave nothing of it: the training-operator as it was, no second scheduler, no PodGroups."""
    training_operator.install(kubeconfig)
    training_operator.wait(kubeconfig)
    stop_all(processes())
    kubectl(kubeconfig, "delete", "customresourcedefinition", "--ignore-not-found", *_CUSTOM_RESOURCES)
    kubectl(kubeconfig, "delete", "--ignore-not-found", "-f", "-", stdin=json.dumps(_list(_rights())))


def _start(kubeconfig: Path) -> None:
    scheduler, controller = processes()
    programs = built("scheduler-plugins")
    write(state() / "gang-scheduler.json", json.dumps(_configuration(_as(kubeconfig, "system:kube-scheduler"))))
    scheduler.start(
        [
            programs / "gang-scheduler",
            f"--config={state() / 'gang-scheduler.json'}",
            "--bind-address=127.0.0.1",
            f"--secure-port={_SCHEDULER_PORT}",
            # Room that becomes free is no event that Coscheduling asks for: a gang it has refused would otherwise be
            # looked at again after five minutes, unless some pod or PodGroup happens to change before.
            "--pod-max-in-unschedulable-pods-duration=30s",
        ]
    )
    controller.start(
        [programs / "gang-controller", "--metricsAddr=0", f"--probeAddr=127.0.0.1:{_CONTROLLER_PORT}"],
        {"KUBECONFIG": str(_as(kubeconfig, _CONTROLLER))},
    )
    for process, port in ((scheduler, _SCHEDULER_PORT), (controller, _CONTROLLER_PORT)):
        process.wait_until(partial(_listens, port), seconds=60)


def _listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


def _as(kubeconfig: Path, user: str) -> Path:
    """A kubeconfig with the rights of another user: the administrator's, who speaks for that one."""
    config = json.loads(kubectl(kubeconfig, "config", "view", "--raw", "--flatten", "-o", "json"))
    for one in config["users"]:
        one["user"]["as"] = user
    target = state() / f"{user.rpartition(':')[2]}-for-gangs.kubeconfig"
    write(target, json.dumps(config, indent=1), mode=0o600)
    return target


def _configuration(kubeconfig: Path) -> Manifest:
    coscheduling = [{"name": "Coscheduling"}]
    return {
        "apiVersion": "kubescheduler.config.k8s.io/v1",
        "kind": "KubeSchedulerConfiguration",
        "leaderElection": {"leaderElect": False},
        "clientConnection": {"kubeconfig": str(kubeconfig)},
        "profiles": [
            {
                "schedulerName": SCHEDULER,
                "plugins": {"multiPoint": {"enabled": coscheduling, "disabled": [{"name": "PrioritySort"}]}},
                "pluginConfig": [{"name": "Coscheduling", "args": {"permitWaitingTimeSeconds": 10}}],
            }
        ],
    }


def _rights() -> list[Manifest]:
    """What both need: the scheduler besides the rights of every scheduler, the controller in all."""
    read, status = ["get", "list", "watch"], ["get", "patch", "update"]
    groups = {"apiGroups": ["scheduling.x-k8s.io"]}
    pods = {"apiGroups": [""], "resources": ["pods"], "verbs": read}
    events = {"apiGroups": [""], "resources": ["events"], "verbs": ["create", "patch"]}
    every = groups | {"resources": ["podgroups", "elasticquotas"]}
    rules = {
        SCHEDULER: [groups | {"resources": ["podgroups"], "verbs": read}],
        _CONTROLLER: [
            every | {"verbs": [*read, "patch"]},
            groups | {"resources": ["podgroups/status", "elasticquotas/status"], "verbs": status},
            pods,
            events,
        ],
    }
    users = {SCHEDULER: "system:kube-scheduler", _CONTROLLER: _CONTROLLER}
    return [one for name in rules for one in _role(name, rules[name], users[name])]


def _role(name: str, rules: list[Manifest], user: str) -> list[Manifest]:
    api, metadata = "rbac.authorization.k8s.io", {"name": name}
    kind = {"apiVersion": f"{api}/v1", "metadata": metadata}
    reference = {"apiGroup": api, "kind": "ClusterRole", "name": name}
    subject = {"apiGroup": api, "kind": "User", "name": user}
    return [
        {**kind, "kind": "ClusterRole", "rules": rules},
        {**kind, "kind": "ClusterRoleBinding", "roleRef": reference, "subjects": [subject]},
    ]


def _list(manifests: list[Manifest]) -> Manifest:
    return {"apiVersion": "v1", "kind": "List", "items": manifests}
