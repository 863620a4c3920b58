package apitest

import (
	"errors"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"afunix"
)

// Without SO_PASSCRED at the time of the read, messages are merged whatever they carry.
func TestMergeWithoutPassCredentials(t *testing.T) {
	each(t, streams, func(t *testing.T, tr afunix.Transport, network string) {
		a, b := pair(t, tr, network)
		mustWriteMsg(t, a, "0")
		b.SetPassCredentials(true)
		mustWriteMsg(t, a, "1")
		b.SetPassCredentials(false)
		mustWriteMsg(t, a, "2")
		mustReadMsg(t, b, "012", 0)
	})
}

func TestWhatComesBeforeEMSGSIZE(t *testing.T) {
	eachPassing(t, []string{"unixpacket"}, func(t *testing.T, tr afunix.Transport, network string) {
		a, b := pair(t, tr, network)
		big := make([]byte, 1<<20)
		a.SetWriteDeadline(time.Unix(1, 0))
		if _, err := a.Write(big); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("after the deadline: %v", err)
		}
		a.SetWriteDeadline(time.Time{})
		b.Close()
		if _, err := a.WriteMsg(big, tempFile(t, "")); !errors.Is(err, syscall.EMSGSIZE) {
			t.Errorf("with a file, to a peer that is closed: %v", err)
		}
		a.Close()
		if _, err := a.Write(big); !errors.Is(err, net.ErrClosed) {
			t.Errorf("closed: %v", err)
		}
	})
}

func TestBadDescriptorToClosedPeer(t *testing.T) {
	eachPassing(t, all, func(t *testing.T, tr afunix.Transport, network string) {
		a, b := pair(t, tr, network)
		b.Close()
		if _, err := a.WriteMsg([]byte("x"), afunix.Descriptor(9999)); !errors.Is(err, syscall.EBADF) {
			t.Errorf("%v", err)
		}
		a, _ = pair(t, tr, network)
		a.CloseWrite()
		if _, err := a.WriteMsg([]byte("x"), afunix.Descriptor(9999)); !errors.Is(err, syscall.EBADF) {
			t.Errorf("%v", err)
		}
	})
}

func TestEmptyReadAfterDeadline(t *testing.T) {
	each(t, all, func(t *testing.T, tr afunix.Transport, network string) {
		_, b := pair(t, tr, network)
		b.SetReadDeadline(time.Unix(1, 0))
		if _, err := b.Read(nil); err != nil {
			t.Error(err)
		}
	})
}

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
