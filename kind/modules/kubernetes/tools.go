//go:build tools

// Package kubernetes pins the real control plane, its client and its own tests.
package kubernetes

import (
	_ "github.com/onsi/ginkgo/v2/ginkgo"
	_ "k8s.io/kubernetes/cmd/kube-apiserver"
	_ "k8s.io/kubernetes/cmd/kube-controller-manager"
	_ "k8s.io/kubernetes/cmd/kube-scheduler"
	_ "k8s.io/kubernetes/cmd/kubectl"
	_ "k8s.io/kubernetes/test/e2e"
	_ "k8s.io/kubernetes/test/integration/scheduler_perf/affinity"
	_ "k8s.io/kubernetes/test/integration/scheduler_perf/default_preemption"
	_ "k8s.io/kubernetes/test/integration/scheduler_perf/misc"
	_ "k8s.io/kubernetes/test/integration/scheduler_perf/topology_spreading"
)
