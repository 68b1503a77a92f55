{{/* The operator's variables, in the order of controller/settings.py. */}}
{{- define "trainingrun.environment" -}}
{{- $images := dict -}}
{{- range list "tokenize" "pretrain" "convert" "evaluate" "sft" "release" -}}
{{- $_ := set $images . (include "trainingrun.image" (dict "role" . "images" $.Values.images)) -}}
{{- end -}}
{{- $custom := dict -}}
{{- range $name, $image := .Values.images.custom -}}
{{- $_ := set $custom $name (include "trainingrun.reference" (dict "role" (printf "custom.%s" $name) "image" $image "images" $.Values.images)) -}}
{{- end -}}
{{- $worker := .Values.worker -}}
{{- $variables := list
  (list "IMAGES" (toJson $images))
  (list "CUSTOM_ENGINES" (toJson $custom))
  (list "IMAGE_PULL_POLICY" .Values.imagePullPolicy)
  (list "IMAGE_PULL_SECRETS" (join "," .Values.imagePullSecrets))
  (list "WORKER_SERVICE_ACCOUNT" $worker.serviceAccountName)
  (list "REPORT_URL" (printf "http://%s.%s.svc:%v" (include "trainingrun.name" .) .Release.Namespace .Values.service.port))
  (list "REPORT_SECONDS" $worker.reportSeconds)
  (list "PROGRESS_SECONDS" $worker.progressSeconds)
  (list "TOKEN_SECONDS" (int64 $worker.tokenSeconds))
  (list "RUN_AS_USER" (int64 $worker.runAsUser))
  (list "RUN_AS_GROUP" (int64 $worker.runAsGroup))
  (list "FS_GROUP" (kindIs "invalid" $worker.fsGroup | ternary "" (int64 $worker.fsGroup)))
  (list "RUNTIME_CLASS" $worker.runtimeClassName)
  (list "NODE_SELECTOR" (toJson $worker.nodeSelector))
  (list "TOLERATIONS" (toJson $worker.tolerations))
  (list "AFFINITY" (toJson $worker.affinity))
  (list "PRIORITY_CLASS" $worker.priorityClassName)
  (list "POD_LABELS" (toJson $worker.labels))
  (list "POD_ANNOTATIONS" (toJson $worker.annotations))
  (list "WORKER_ENV" (toJson $worker.env))
  (list "DEFAULT_RESOURCES" (toJson $worker.defaultResources))
  (list "SHM_SIZE" $worker.shmSize)
  (list "NAMESPACES" (join "," .Values.watch.namespaces))
  (list "READ_NODES" .Values.watch.nodes)
  (list "WORKERS" .Values.operator.workers)
  (list "PORT" (int .Values.service.port))
  (list "PERIOD_SECONDS" .Values.operator.periodSeconds)
  (list "LEASE" (printf "%s/%s" .Release.Namespace (include "trainingrun.name" .)))
  (list "LOG_LEVEL" .Values.operator.logLevel)
  (list "NOTIFIES" (ne .Values.notifications.secretName ""))
  (list "NOTIFY_EVENTS" (join "," .Values.notifications.events))
  (list "NOTIFY_SILENCE" .Values.notifications.silence)
  (list "NOTIFY_ADDRESS_FILE" "/etc/trainingrun/notifications/address")
  (list "NOTIFY_CLUSTER" .Values.notifications.cluster)
-}}
{{/* Which replica this is, and where the others reach it. */}}
- {name: POD_NAME, valueFrom: {fieldRef: {fieldPath: metadata.name}}}
- {name: POD_UID, valueFrom: {fieldRef: {fieldPath: metadata.uid}}}
- {name: POD_IP, valueFrom: {fieldRef: {fieldPath: status.podIP}}}
- {name: TRAININGRUN_IDENTITY, value: $(POD_NAME)_$(POD_UID)}
- {name: TRAININGRUN_ADDRESS, value: "http://$(POD_IP):{{ .Values.service.port }}"}
{{- range $variables }}
- {name: TRAININGRUN_{{ index . 0 }}, value: {{ index . 1 | toString | quote }}}
{{- end }}
{{- with .Values.operator.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end -}}
