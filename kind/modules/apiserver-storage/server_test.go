package storage

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/client/v3/kubernetes"
	"go.uber.org/zap"
)

// binaryVariable names the program under test, started with etcd's own flags.
const binaryVariable = "STORE_BINARY"

// patience is how long a store may take to start, to stop, or to show what it owes.
const patience = 30 * time.Second

// serve starts the store on an empty folder and returns a client that has seen it answer. Each test
// gets its own, as in Kubernetes itself: several of them count revisions from one.
func serve(t *testing.T) *kubernetes.Client {
	t.Helper()
	url, peer := freeURL(t), freeURL(t)
	var log bytes.Buffer
	store := exec.Command(os.Getenv(binaryVariable),
		"--data-dir", t.TempDir(),
		"--listen-client-urls", url, "--advertise-client-urls", url,
		"--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster", "default="+peer,
		// Idle watches must hear of progress within the functions' patience.
		"--watch-progress-notify-interval", "1s")
	store.Stdout, store.Stderr = &log, &log
	if err := store.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- store.Wait() }()
	t.Cleanup(func() {
		stop(t, store, ended)
		if t.Failed() {
			t.Logf("the end of the store's log:\n%s", lastBytes(log.Bytes(), 4096))
		}
	})

	client := connect(t, url)
	for deadline := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		_, err := client.Status(ctx, url)
		cancel()
		if err == nil {
			return client
		}
		select {
		case status := <-ended:
			ended <- status
			t.Fatalf("the store ended at once: %v", status)
		default:
		}
		if time.Now().After(deadline) {
			t.Fatalf("the store does not answer Status: %v", err)
		}
	}
}

func stop(t *testing.T, store *exec.Cmd, ended <-chan error) {
	_ = store.Process.Signal(syscall.SIGTERM)
	select {
	case <-ended:
	case <-time.After(patience):
		t.Errorf("the store did not end within %s of SIGTERM", patience)
		_ = store.Process.Kill()
		<-ended
	}
}

func connect(t *testing.T, url string) *kubernetes.Client {
	client, err := kubernetes.New(clientv3.Config{Endpoints: []string{url}, Logger: zap.NewNop()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return client
}

func freeURL(t *testing.T) string {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return fmt.Sprintf("http://%s", listener.Addr())
}

func lastBytes(all []byte, count int) []byte {
	return all[max(0, len(all)-count):]
}
