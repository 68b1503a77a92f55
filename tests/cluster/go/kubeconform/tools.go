//go:build tools

// Package tools names what is built from this module, and whose definitions are taken.
package tools

import (
	_ "github.com/prometheus-operator/prometheus-operator/pkg/versionutil"
	_ "github.com/yannh/kubeconform/cmd/kubeconform"
)
