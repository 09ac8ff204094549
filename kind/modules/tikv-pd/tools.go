//go:build tools

// Package tikvpd pins the real Placement Driver of TiKV. It is a module of its own because its kvproto and its etcd do not
// link together with those of the stores in the folder beside.
package tikvpd

import _ "github.com/tikv/pd/cmd/pd-server"
