//go:build tools

// Package kwok pins the simulator of hollow nodes and the tool that starts clusters around it.
package kwok

import (
	_ "sigs.k8s.io/kwok/cmd/kwok"
	_ "sigs.k8s.io/kwok/cmd/kwokctl"
)
