"""The checks of POLICY as two ValidatingAdmissionPolicies with their bindings."""

from typing import Any

from trainingrun.api import names
from trainingrun.api.policy import CHANGE_CHECKS, CHANGE_VARIABLES, SPEC_CHECKS, SPEC_VARIABLES, Check

Document = dict[str, Any]


def policies(name: str) -> tuple[Document, ...]:
    """Both policies, each followed by its binding; their names begin with `name`."""
    spec = _policy(f"{name}-spec", ("CREATE", "UPDATE"), SPEC_VARIABLES, SPEC_CHECKS)
    changes = _policy(f"{name}-changes", ("UPDATE",), CHANGE_VARIABLES, CHANGE_CHECKS)
    return spec, _binding(f"{name}-spec"), changes, _binding(f"{name}-changes")


def _policy(name: str, operations: tuple[str, ...], variables: dict[str, str], checks: tuple[Check, ...]) -> Document:
    changed = "object.spec != oldObject.spec"
    if "CREATE" in operations:
        changed = f"request.operation == 'CREATE' || {changed}"
    rule = {
        "apiGroups": [names.GROUP],
        "apiVersions": ["*"],
        "operations": list(operations),
        "resources": [names.PLURAL],  # without its subresources: the status is the operator's to write
    }
    spec = {
        "failurePolicy": "Fail",
        "matchConstraints": {"resourceRules": [rule]},
        "matchConditions": [
            {"name": "not-being-deleted", "expression": "!has(object.metadata.deletionTimestamp)"},
            {"name": "spec-changed", "expression": changed},
        ],
        "variables": [{"name": key, "expression": value} for key, value in variables.items()],
        "validations": [{"expression": check.cel, "messageExpression": check.message} for check in checks],
    }
    return _document("ValidatingAdmissionPolicy", name, spec)


def _binding(name: str) -> Document:
    return _document("ValidatingAdmissionPolicyBinding", name, {"policyName": name, "validationActions": ["Deny"]})


def _document(kind: str, name: str, spec: Document) -> Document:
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": kind,
        "metadata": {"name": name},
        "spec": spec,
    }
