{{- define "trainingrun.name" -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- end -}}

{{- define "trainingrun.serviceAccount" -}}
{{- .Values.serviceAccount.name | default (include "trainingrun.name" .) -}}
{{- end -}}

{{- define "trainingrun.selector" -}}
app.kubernetes.io/name: trainingrun
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "trainingrun.labels" -}}
{{ include "trainingrun.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/component: operator
{{- end -}}

{{/* An image by its role; a chart without it must not install. */}}
{{- define "trainingrun.image" -}}
{{- required (printf "images.%s names no image: give a full reference, with a tag or a digest." .role) (index .images .role) -}}
{{- end -}}

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
