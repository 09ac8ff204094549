//go:build tools

// Package etcd pins the real etcd, its two tools, its own test suite and the HTTP/2 conformance client.
package etcd

import (
	_ "github.com/summerwind/h2spec/cmd/h2spec"
	_ "go.etcd.io/etcd/etcdctl/v3"
	_ "go.etcd.io/etcd/etcdutl/v3"
	_ "go.etcd.io/etcd/server/v3"
	_ "go.etcd.io/etcd/tests/v3/common"
	_ "go.etcd.io/etcd/tests/v3/framework/e2e"
)
