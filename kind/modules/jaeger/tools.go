//go:build tools

// Package jaeger pins the query server that people open traces with.
package jaeger

import (
	_ "github.com/jaegertracing/jaeger/cmd/jaeger"
)
