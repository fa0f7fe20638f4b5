{{- /* Flow mappings on one line, so that they fit any indentation. */ -}}
{{- define "qingyu.name" -}}
{{ printf "%s-qingyu" .Release.Name | trunc 63 | trimSuffix "-" }}
{{- end -}}
{{- define "qingyu.selector" -}}
{app.kubernetes.io/name: qingyu, app.kubernetes.io/instance: {{ .Release.Name | quote }}}
{{- end -}}
{{- define "qingyu.labels" -}}
{app.kubernetes.io/name: qingyu, app.kubernetes.io/instance: {{ .Release.Name | quote }}, app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}, app.kubernetes.io/managed-by: {{ .Release.Service | quote }}, helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | quote }}}
{{- end -}}
