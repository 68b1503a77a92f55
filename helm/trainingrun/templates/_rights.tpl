{{/* What the operator may do where runs are. */}}
{{- define "trainingrun.rules" -}}
# Runs: read, and write the status. Never their spec, metadata or finalizers.
- apiGroups: [trainingrun.dev]
  resources: [trainingruns]
  verbs: [get, list, watch]
- apiGroups: [trainingrun.dev]
  resources: [trainingruns/status]
  verbs: [update]
# Attempts: a PATCH that creates (server-side apply) needs both verbs.
- apiGroups: [batch]
  resources: [jobs]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [kubeflow.org]
  resources: [pytorchjobs]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [""]
  resources: [configmaps]
  verbs: [get, list, create, patch, delete]
# Pods: made by Jobs; deleted here only where their node is gone.
- apiGroups: [""]
  resources: [pods]
  verbs: [get, list, watch, delete]
# Claims: made where a run asks for one, never deleted.
- apiGroups: [""]
  resources: [persistentvolumeclaims]
  verbs: [get, create, patch]
# Why pods can't be made, and the run's own log book.
- apiGroups: [""]
  resources: [events]
  verbs: [get, list, create, patch]
{{- end -}}
