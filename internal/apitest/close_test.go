package apitest

import (
	"errors"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"afunix"
	"afunix/internal/testenv"
)

func TestClosedConn(t *testing.T) {
	each(t, streams, func(t *testing.T, tr afunix.Transport, network string) {
		a, _ := pair(t, tr, network)
		a.Close()
		if err := a.SetDeadline(time.Time{}); strings.Contains(err.Error(), "\n") {
			t.Errorf("%q", err)
		}
		if _, err := a.PeerCredentials(); err != nil {
			t.Errorf("PeerCredentials: %v", err)
		}
	})
}

func TestEndOfStream(t *testing.T) {
	eachPassing(t, listened, func(t *testing.T, tr afunix.Transport, network string) {
		a, b := pair(t, tr, network)
		w := testenv.NewWitness(t)
		mustWriteMsg(t, a, "last", w.W)
		if err := a.CloseWrite(); err != nil {
			t.Fatal(err)
		}
		mustReadMsg(t, b, "last", 1)
		buf := make([]byte, 10)
		for range 2 {
			if m, err := b.ReadMsg(buf); err != io.EOF || len(m.Data) > 0 {
				t.Errorf("ReadMsg = %q, %v; want EOF", m.Data, err)
			}
			if n, err := b.Read(buf); err != io.EOF || n > 0 {
				t.Errorf("Read = %d, %v; want EOF", n, err)
			}
			if n, err := b.Read(nil); err != nil || n > 0 {
				t.Errorf("Read(nil) = %d, %v", n, err)
			}
		}
		if _, err := a.WriteMsg([]byte("x"), w.W); !errors.Is(err, syscall.EPIPE) {
			t.Errorf("WriteMsg after CloseWrite: %v", err)
		}
		mustWriteMsg(t, b, "back") // row 151
		mustReadMsg(t, a, "back", 0)
		if err := a.CloseRead(); err != nil {
			t.Fatal(err)
		}
		if _, err := b.Write([]byte("x")); !errors.Is(err, syscall.EPIPE) { // row 152
			t.Errorf("Write after the peer's CloseRead: %v", err)
		}
	})
}

func TestClosedConnIsErrClosed(t *testing.T) {
	each(t, all, func(t *testing.T, tr afunix.Transport, network string) {
		a, _ := pair(t, tr, network)
		if err := a.Close(); err != nil {
			t.Fatal(err)
		}
		buf := make([]byte, 1)
		for name, err := range map[string]error{
			"Read":               second(a.Read(buf)),
			"Write":              second(a.Write(buf)),
			"ReadMsg":            second(a.ReadMsg(buf)),
			"WriteMsg":           second(a.WriteMsg(buf)),
			"with a file":        second(a.WriteMsg(buf, testenv.TempFile(t, ""))),
			"SetDeadline":        a.SetDeadline(time.Now()),
			"SetReadBuffer":      a.SetReadBuffer(1000),
			"SetPassCredentials": a.SetPassCredentials(true),
			"CloseRead":          a.CloseRead(),
			"CloseWrite":         a.CloseWrite(),
			"Close":              a.Close(),
		} {
			var op *net.OpError
			if !errors.Is(err, net.ErrClosed) || !errors.As(err, &op) || op.Net != network {
				t.Errorf("%s: %v; want net.ErrClosed", name, err)
			}
		}
	})
}
