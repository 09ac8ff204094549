// A client of the Echo service written with grpc-go, the implementation that etcd and kube-apiserver use. Runs the named check
// against the address and prints "ok"; anything else is a failure.
package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	_ "google.golang.org/grpc/encoding/gzip"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// rawCodec hands message bytes through.
type rawCodec struct{}

func (rawCodec) Marshal(v any) ([]byte, error)      { return *(v.(*[]byte)), nil }
func (rawCodec) Unmarshal(data []byte, v any) error { *(v.(*[]byte)) = append([]byte(nil), data...); return nil }
func (rawCodec) Name() string                       { return "raw" }

func unary(ctx context.Context, conn *grpc.ClientConn, path string, in []byte, options ...grpc.CallOption) ([]byte, error) {
	var out []byte
	err := conn.Invoke(ctx, path, &in, &out, options...)
	return out, err
}

func must(err error) {
	if err != nil {
		fmt.Println("failed:", err)
		os.Exit(1)
	}
}

func expect(good bool, format string, arguments ...any) {
	if !good {
		must(fmt.Errorf(format, arguments...))
	}
}

func echoes(conn *grpc.ClientConn) {
	ctx := context.Background()
	for _, size := range []int{0, 1, 100, 16379, 16384, 70000, 3000000} {
		in := bytes.Repeat([]byte{7}, size)
		for _, options := range [][]grpc.CallOption{nil, {grpc.UseCompressor("gzip")}} {
			out, err := unary(ctx, conn, "/test.Echo/Unary", in, options...)
			must(err)
			expect(bytes.Equal(in, out), "size %d came back as %d", size, len(out))
		}
	}
	var group sync.WaitGroup
	for worker := 0; worker < 50; worker++ {
		group.Go(func() {
			for n := 0; n < 200; n++ {
				text := fmt.Sprintf("worker %d call %d", worker, n)
				timed, cancel := context.WithTimeout(ctx, time.Minute)
				out, err := unary(timed, conn, "/test.Echo/Reserve", []byte(text))
				cancel()
				must(err)
				expect(string(out) == text, "%q came back as %q", text, out)
			}
		})
	}
	group.Wait()
}

func statuses(conn *grpc.ClientConn) {
	ctx := context.Background()
	_, err := unary(ctx, conn, "/test.Echo/Unary", []byte("!11 größer 100%"))
	expect(status.Code(err) == codes.OutOfRange && status.Convert(err).Message() == "größer 100%", "status %v", err)
	_, err = unary(ctx, conn, "/test.Echo/Nope", nil)
	expect(status.Code(err) == codes.Unimplemented, "unknown method: %v", err)
	timed, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
	defer cancel()
	_, err = unary(timed, conn, "/test.Echo/Unary", []byte("~"))
	expect(status.Code(err) == codes.DeadlineExceeded, "deadline: %v", err)
	var head, trailer metadata.MD
	sent := metadata.AppendToOutgoingContext(ctx, "x-name-bin", string([]byte{0, 255, 9}))
	out, err := unary(sent, conn, "/test.Echo/Info", []byte("x-name-bin"), grpc.Header(&head), grpc.Trailer(&trailer))
	must(err)
	expect(strings.Contains(string(out), "[0,255,9]"), "binary metadata: %s", out)
	expect(head.Get("x-answer")[0] == "head", "header: %v", head)
	expect(trailer.Get("x-trailer-bin")[0] == string([]byte{0, 1, 254, 255}), "trailer: %v", trailer)
}

func streams(conn *grpc.ClientConn) {
	ctx := context.Background()
	description := &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}
	stream, err := conn.NewStream(ctx, description, "/test.Echo/Both")
	must(err)
	go func() {
		for n := 0; n < 1000; n++ {
			in := bytes.Repeat([]byte{byte(n)}, n*37)
			must(stream.SendMsg(&in))
		}
		must(stream.CloseSend())
	}()
	for n := 0; ; n++ {
		var out []byte
		err := stream.RecvMsg(&out)
		if err == io.EOF {
			expect(n == 1000, "%d messages came back", n)
			break
		}
		must(err)
		expect(len(out) == n*37, "message %d has %d bytes", n, len(out))
	}
	down, err := conn.NewStream(ctx, description, "/test.Echo/Download")
	must(err)
	order := []byte("300 100000")
	must(down.SendMsg(&order))
	total := 0
	for {
		var out []byte
		err := down.RecvMsg(&out)
		if err == io.EOF {
			break
		}
		must(err)
		total += len(out)
	}
	expect(total == 30000000, "download of %d bytes", total)
}

// keepalives pings as often as the server allows and as etcd's clients do, and must never be told to go away.
func keepalives(conn *grpc.ClientConn) {
	ctx := context.Background()
	for n := 0; n < 25; n++ {
		_, err := unary(ctx, conn, "/test.Echo/Unary", []byte("x"))
		must(err)
		time.Sleep(100 * time.Millisecond)
	}
}

func main() {
	address, check := os.Args[1], os.Args[2]
	conn, err := grpc.NewClient(address,
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.ForceCodec(rawCodec{}), grpc.MaxCallRecvMsgSize(1<<30)),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 10 * time.Second, Timeout: time.Second, PermitWithoutStream: true}))
	must(err)
	defer conn.Close()
	map[string]func(*grpc.ClientConn){"echoes": echoes, "statuses": statuses, "streams": streams, "keepalives": keepalives}[check](conn)
	fmt.Println("ok")
}
