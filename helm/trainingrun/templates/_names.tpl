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

{{/* Labels of a hook's objects: no Service and no NetworkPolicy may take its pods for the operator's. */}}
{{- define "trainingrun.hookLabels" -}}
app.kubernetes.io/name: trainingrun-{{ .hook }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
app.kubernetes.io/component: {{ .hook }}
{{- end -}}

{{/* A reference at the registry that the values give. */}}
{{- define "trainingrun.reference" -}}
{{- $image := required (printf "images.%s names no image: give a full reference, with a tag or a digest." .role) .image -}}
{{- if .images.registry -}}
{{- $first := splitList "/" $image | first -}}
{{- if and (contains "/" $image) (regexMatch "[.:]|^localhost$" $first) -}}
{{- $image = trimPrefix (printf "%s/" $first) $image -}}
{{- end -}}
{{- $image = printf "%s/%s" .images.registry $image -}}
{{- end -}}
{{- $image -}}
{{- end -}}

{{/* An image by its role: its reference, at the registry and with the digest that the values give. One that is not
named must not install. */}}
{{- define "trainingrun.image" -}}
{{- $image := include "trainingrun.reference" (dict "role" .role "image" (index .images .role) "images" .images) -}}
{{- $digest := index .images.digests .role -}}
{{- if and $digest (contains "@" $image) -}}
{{- fail (printf "images.%s has a digest already: leave images.digests.%s empty, or take the one away." .role .role) -}}
{{- end -}}
{{- $image }}{{ with $digest }}@{{ . }}{{ end -}}
{{- end -}}
