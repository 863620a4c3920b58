package httpdrain_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/net/http2"

	"afunix/internal/testenv"
	"afunix/upgrade/httpdrain"
)

// describe says what a handler knows of a request's connection.
func describe(w http.ResponseWriter, r *http.Request) {
	fmt.Fprint(w, r.Proto, " ", r.TLS != nil && r.TLS.HandshakeComplete, " ", r.RemoteAddr != "")
}

// startTLS serves with TLS, and returns a client for the protocols.
func startTLS(t *testing.T, serve func(net.Listener) error, end func(), protocols *http.Protocols) (get func() string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- serve(l) }()
	tr := &http.Transport{Protocols: protocols, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	t.Cleanup(func() {
		tr.CloseIdleConnections()
		end()
		if err := <-served; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	})
	return func() string {
		t.Helper()
		client := http.Client{Transport: tr, Timeout: patience}
		resp, err := client.Get("https://" + l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
}

func http1() *http.Protocols {
	p := new(http.Protocols)
	p.SetHTTP1(true)
	return p
}

// What a handler sees of TLS is what package http shows, whichever code puts TLS above the
// listener, and whichever protocol is spoken.
func TestHandlersSeeTLS(t *testing.T) {
	config := certificate(t)
	certFile, keyFile := writePEM(t, config.Certificates[0])
	for name, serve := range map[string]func(*httpdrain.Server, net.Listener) error{
		"configuration": func(s *httpdrain.Server, l net.Listener) error { return s.ServeTLS(l, "", "") },
		"files":         func(s *httpdrain.Server, l net.Listener) error { return s.ServeTLS(l, certFile, keyFile) },
		"listener": func(s *httpdrain.Server, l net.Listener) error {
			return s.Serve(tls.NewListener(l,
				&tls.Config{Certificates: config.Certificates, NextProtos: []string{"h2", "http/1.1"}}))
		},
	} {
		t.Run(name, func(t *testing.T) {
			srv := &http.Server{Handler: http.HandlerFunc(describe)}
			if name == "configuration" {
				srv.TLSConfig = config
			}
			s := httpdrain.New(srv)
			begin := func(l net.Listener) error { return serve(s, l) }
			end := func() { s.Shutdown(expired()) }
			get := startTLS(t, begin, end, encrypted())
			if got := get(); got != "HTTP/2.0 true true" {
				t.Error(got)
			}
		})
	}
	s := httpdrain.New(&http.Server{Handler: http.HandlerFunc(describe), TLSConfig: config})
	get := startTLS(t, func(l net.Listener) error { return s.ServeTLS(l, "", "") }, func() { s.Shutdown(expired()) }, http1())
	if got := get(); got != "HTTP/1.1 true true" {
		t.Error(got)
	}
}

func writePEM(t *testing.T, cert tls.Certificate) (certFile, keyFile string) {
	t.Helper()
	key, err := x509.MarshalPKCS8PrivateKey(cert.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	dir := testenv.TempDir(t)
	certFile, keyFile = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for file, block := range map[string]*pem.Block{
		certFile: {Type: "CERTIFICATE", Bytes: cert.Certificate[0]},
		keyFile:  {Type: "PRIVATE KEY", Bytes: key},
	} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return certFile, keyFile
}

func TestServeTLSWithoutACertificate(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	s := httpdrain.New(new(http.Server))
	nowhere := filepath.Join(testenv.TempDir(t), "nowhere")
	if err := s.ServeTLS(l, nowhere, nowhere); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("ServeTLS: %v", err)
	}
}

// HTTP/2 as somebody else has set it up works as it does without this package.
func TestHTTP2OfAnotherModule(t *testing.T) {
	srv := &http.Server{Handler: http.HandlerFunc(describe), TLSConfig: certificate(t)}
	//lint:ignore SA1019 programs of before Protocols do so
	if err := http2.ConfigureServer(srv, nil); err != nil {
		t.Fatal(err)
	}
	s := httpdrain.New(srv)
	get := startTLS(t, func(l net.Listener) error { return s.ServeTLS(l, "", "") }, func() { s.Shutdown(expired()) }, encrypted())
	if got := get(); got != "HTTP/2.0 true true" {
		t.Error(got)
	}
}
