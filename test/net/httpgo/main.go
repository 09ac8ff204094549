// A client of the exchange service written with Go's net/http, which kubectl and client-go use. Runs all checks against the
// address over HTTP/2 and HTTP/1.1, with the authority, certificate and key of the named files, and prints "ok".
package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
)

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

func newClient(caFile, certFile, keyFile string, h2 bool) *http.Client {
	authority, err := os.ReadFile(caFile)
	must(err)
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(authority)
	config := &tls.Config{RootCAs: pool, ServerName: "localhost"}
	if certFile != "" {
		pair, err := tls.LoadX509KeyPair(certFile, keyFile)
		must(err)
		config.Certificates = []tls.Certificate{pair}
	}
	protocols := new(http.Protocols)
	protocols.SetHTTP1(!h2)
	protocols.SetHTTP2(h2)
	return &http.Client{Transport: &http.Transport{TLSClientConfig: config, Protocols: protocols}}
}

func ask(client *http.Client, method, url string, body io.Reader) (*http.Response, string) {
	request, err := http.NewRequest(method, url, body)
	must(err)
	answer, err := client.Do(request)
	must(err)
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	must(err)
	return answer, string(text)
}

func bodies(client *http.Client, base string) {
	answer, text := ask(client, "GET", base+"/page", nil)
	expect(answer.StatusCode == 200 && text == "säge\n", "page: %d %q", answer.StatusCode, text)
	answer, _ = ask(client, "HEAD", base+"/page", nil)
	expect(answer.ContentLength == 6, "HEAD: %d", answer.ContentLength)
	sent := strings.Repeat("0123456789", 500_000)
	answer, text = ask(client, "POST", base+"/echo", io.MultiReader(strings.NewReader(sent)))
	expect(text == sent, "echo: %d bytes", len(text))
	expect(answer.Trailer.Get("x-bytes") == "5000000", "trailer: %v", answer.Trailer)
	_, text = ask(client, "GET", base+"/download?200-100000", nil)
	expect(len(text) == 20_000_000, "download: %d bytes", len(text))
	_, text = ask(client, "POST", base+"/count", bytes.NewReader(make([]byte, 1_000_000)))
	expect(text == "1000000 bytes of 0\n", "count: %q", text)
}

func refusals(client *http.Client, base string) {
	for turn := 0; turn < 20; turn++ {
		request, err := http.NewRequest("POST", base+"/refuse", bytes.NewReader(make([]byte, turn*100_000)))
		must(err)
		request.Header.Set("Expect", "100-continue")
		answer, err := client.Do(request)
		must(err)
		text, err := io.ReadAll(answer.Body)
		must(err)
		expect(answer.StatusCode == 403 && string(text) == "forbidden\n", "refuse: %d %q", answer.StatusCode, text)
	}
	answer, err := client.Get(base + "/break")
	if err == nil {
		_, err = io.ReadAll(answer.Body)
	}
	expect(err != nil, "a broken answer looked whole")
}

func watches(client *http.Client, base string) {
	var group sync.WaitGroup
	for n := 0; n < 100; n++ {
		group.Go(func() {
			ctx, cancel := context.WithCancel(context.Background())
			request, err := http.NewRequestWithContext(ctx, "GET", base+"/watch", nil)
			must(err)
			answer, err := client.Do(request)
			must(err)
			line, err := bufio.NewReader(answer.Body).ReadString('\n')
			must(err)
			expect(line == "first\n", "watch: %q", line)
			cancel()
			answer.Body.Close()
		})
	}
	group.Wait()
}

func main() {
	base, caFile, certFile, keyFile := "https://"+os.Args[1], os.Args[2], os.Args[3], os.Args[4]
	for _, h2 := range []bool{true, false} {
		known := newClient(caFile, certFile, keyFile, h2)
		answer, text := ask(known, "GET", base+"/tell", nil)
		expect(answer.ProtoMajor == 2 == h2, "protocol: %s", answer.Proto)
		expect(strings.Contains(text, `"commonName":"gopher","organizations":["burrow"]`), "certificate: %s", text)
		_, text = ask(newClient(caFile, "", "", h2), "GET", base+"/tell", nil)
		expect(!strings.Contains(text, "commonName"), "no certificate: %s", text)
		bodies(known, base)
		refusals(known, base)
		watches(known, base)
	}
	fmt.Println("ok")
}
