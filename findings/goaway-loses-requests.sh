#!/usr/bin/env bash
# Question:  an HTTP/2 server says GOAWAY for the stream 2^31-1, which excludes none, and goes on to answer each stream that is opened.
#            Does that cost a client of net/http a request whose body cannot be sent a second time?
# Expected:  no. What is on its way is answered, and what has no stream yet goes to another connection with its body untouched.
# Found:     some fail: "cannot rewind body after connection loss". They were assigned to the connection, but had no stream when the
#            GOAWAY came; the body is closed then, though nothing was read of it, and a body that was closed is not used again.
# Version:   Go 1.26.8 (net/http), golang.org/x/net v0.62.0 (the server's frames).
# Source:    Go, net/http/h2_bundle.go, http2clientStream.cleanupWriteRequest, and net/http/transport.go, rewindBody; RFC 9113, 6.8.
# For you:   a client's requests are safe across a restart if they have GetBody (bytes.Reader, strings.Reader), or none.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"

cat >main.go <<'GO'
package main

import (
	"bytes"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// serve answers all requests of a connection, and says GOAWAY after the hundredth.
func serve(conn net.Conn) {
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(time.Minute))
	if _, err := io.ReadFull(conn, make([]byte, len(http2.ClientPreface))); err != nil {
		return
	}
	framer := http2.NewFramer(conn, conn)
	framer.WriteSettings()
	var header bytes.Buffer
	hpack.NewEncoder(&header).WriteField(hpack.HeaderField{Name: ":status", Value: "200"})
	for answered := 0; ; {
		frame, err := framer.ReadFrame()
		if err != nil {
			return
		}
		switch f := frame.(type) {
		case *http2.SettingsFrame:
			if !f.IsAck() {
				framer.WriteSettingsAck()
			}
		case *http2.PingFrame:
			if !f.IsAck() {
				framer.WritePing(true, f.Data)
			}
		case *http2.DataFrame:
			if !f.StreamEnded() {
				continue
			}
			framer.WriteHeaders(http2.HeadersFrameParam{StreamID: f.StreamID, BlockFragment: header.Bytes(), EndStream: true, EndHeaders: true})
			if answered++; answered == 100 {
				framer.WriteGoAway(1<<31-1, http2.ErrCodeNo, nil)
			}
		}
	}
}

// post sends requests from twenty goroutines, and tells how many failed, and how.
func post(url string, body func() io.Reader) (failed map[string]int) {
	transport := &http.Transport{Protocols: new(http.Protocols)}
	transport.Protocols.SetUnencryptedHTTP2(true)
	client := &http.Client{Transport: transport, Timeout: 20 * time.Second}
	failed = make(map[string]int)
	var mu sync.Mutex
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			for range 400 {
				response, err := client.Post(url, "text/plain", body())
				if err == nil {
					response.Body.Close()
					continue
				}
				why := err.Error()
				mu.Lock()
				failed[why[strings.LastIndex(why, ": ")+2:]]++
				mu.Unlock()
			}
		})
	}
	all.Wait()
	return failed
}

func main() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go serve(conn)
		}
	}()
	at := (&url.URL{Scheme: "http", Host: listener.Addr().String()}).String()
	fmt.Println("with GetBody:", post(at, func() io.Reader { return strings.NewReader("x") }))
	fmt.Println("without:", post(at, func() io.Reader { return struct{ io.Reader }{strings.NewReader("x")} }))
}
GO
go_program golang.org/x/net@v0.62.0
timeout 120 ./program >failed || cannot "the program did not end"
go version
cat failed
found "what failed" "with GetBody: map[]" "$(head -n 1 failed)"
found "what failed" "without: map[cannot rewind body after connection loss:N]" "$(tail -n 1 failed | sed 's/:[0-9]*]/:N]/')"
verdict
