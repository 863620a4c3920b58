package main

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"afunix"
	"afunix/internal/leaktest"
	"afunix/internal/testenv"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

func TestHTTPOverAUnixSocket(t *testing.T) {
	l, err := afunix.Listen("unix", filepath.Join(testenv.TempDir(t), "web.sock"))
	if err != nil {
		t.Fatal(err)
	}
	srv := newServer()
	srv.ReadTimeout = 20 * time.Second
	served := make(chan error, 1)
	go func() { served <- srv.Serve(l) }()
	for range 3 {
		out := new(strings.Builder)
		if err := run([]string{"get", l.Addr().String(), "/hello"}, out); err != nil {
			t.Fatal(err)
		}
		if want := fmt.Sprintf("/hello for process %d\n", os.Getpid()); out.String() != want {
			t.Errorf("it says %q, want %q", out, want)
		}
	}
	if err := srv.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	if err := <-served; !errors.Is(err, http.ErrServerClosed) {
		t.Error(err)
	}
}
