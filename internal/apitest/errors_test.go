package apitest

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"afunix"
	"afunix/internal/testenv"
)

// An attempt is what DialContext, Listen or ListenPacket does at an address.
type attempt func(t *testing.T, tr afunix.Transport, network, address string) error

func dialAttempt(t *testing.T, tr afunix.Transport, network, address string) error {
	c, err := (&afunix.Dialer{Transport: tr}).DialContext(t.Context(), network, address)
	if err == nil {
		c.Close()
	}
	return err
}

func listenAttempt(t *testing.T, tr afunix.Transport, network, address string) error {
	lc := afunix.ListenConfig{Transport: tr}
	if network == "unixgram" {
		c, err := lc.ListenPacket(t.Context(), network, address)
		if err == nil {
			c.Close()
		}
		return err
	}
	l, err := lc.Listen(t.Context(), network, address)
	if err == nil {
		l.Close()
	}
	return err
}

// Rows 80, 87, 88, 112, 116: what is wrong with an address. (Row 190, names that are too long:
// TestNamesThatAreTooLong.)
func TestErrorsOfAddresses(t *testing.T) {
	tests := []struct {
		name    string
		op      string
		try     attempt
		address func(t *testing.T, tr afunix.Transport, network string) string
		want    error
		also    error // errors.Is, too
	}{
		{"dial nothing", "dial", dialAttempt, missing, syscall.ENOENT, fs.ErrNotExist},
		{"dial in no directory", "dial", dialAttempt, inMissingDirectory, syscall.ENOENT, fs.ErrNotExist},
		{"dial a plain file", "dial", dialAttempt, plainFile, syscall.ECONNREFUSED, nil},
		{"dial below a file", "dial", dialAttempt, belowFile, syscall.ENOTDIR, nil},
		{"dial a stale socket file", "dial", dialAttempt, stale, syscall.ECONNREFUSED, nil},
		{"listen in no directory", "listen", listenAttempt, inMissingDirectory, syscall.ENOENT, fs.ErrNotExist},
		{"listen at a plain file", "listen", listenAttempt, plainFile, syscall.EADDRINUSE, nil},
		{"listen at a stale socket file", "listen", listenAttempt, stale, syscall.EADDRINUSE, nil},
		{"listen at a taken address", "listen", listenAttempt, taken, syscall.EADDRINUSE, nil},
	}
	each(t, all, func(t *testing.T, tr afunix.Transport, network string) {
		for _, test := range tests {
			t.Run(test.name, func(t *testing.T) {
				address := test.address(t, tr, network)
				err := test.try(t, tr, network, address)
				checkShape(t, err, test.op, network, address)
				if !errors.Is(err, test.want) || test.also != nil && !errors.Is(err, test.also) {
					t.Errorf("%v; want %v", err, test.want)
				}
			})
		}
	})
}

// checkShape expects an OpError around a SyscallError around an Errno, whose text names the
// address.
func checkShape(t *testing.T, err error, op, network, address string) {
	t.Helper()
	opError, ok := err.(*net.OpError)
	if !ok {
		t.Fatalf("%T (%v); want *net.OpError", err, err)
	}
	if opError.Op != op || opError.Net != network || opError.Addr.String() != address || !strings.Contains(err.Error(), address) {
		t.Errorf("%q; want %s %s %s", err, op, network, address)
	}
	call, ok := opError.Err.(*os.SyscallError)
	if !ok {
		t.Fatalf("%T (%v) in the OpError; want *os.SyscallError", opError.Err, err)
	}
	if _, ok := call.Err.(syscall.Errno); !ok {
		t.Errorf("%T (%v) in the SyscallError; want syscall.Errno", call.Err, err)
	}
}

func missing(t *testing.T, _ afunix.Transport, _ string) string { return socketPath(t) }

func inMissingDirectory(t *testing.T, _ afunix.Transport, _ string) string {
	return filepath.Join(socketPath(t), "s")
}

func plainFile(t *testing.T, _ afunix.Transport, _ string) string {
	path := socketPath(t)
	if err := os.WriteFile(path, []byte("plain"), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func belowFile(t *testing.T, tr afunix.Transport, network string) string {
	return filepath.Join(plainFile(t, tr, network), "s")
}

func stale(t *testing.T, tr afunix.Transport, network string) string {
	path := socketPath(t)
	if network == "unixgram" {
		c, err := (&afunix.ListenConfig{Transport: tr}).ListenPacket(t.Context(), network, path)
		if err != nil {
			t.Fatal(err)
		}
		c.Close()
		return path
	}
	l := listen(t, tr, network, path)
	l.SetUnlinkOnClose(false)
	l.Close()
	return path
}

func taken(t *testing.T, tr afunix.Transport, network string) string {
	path := socketPath(t)
	if network == "unixgram" {
		c, err := (&afunix.ListenConfig{Transport: tr}).ListenPacket(t.Context(), network, path)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
	} else {
		listen(t, tr, network, path)
	}
	return path
}

// Row 190: the longest path that needs no way of its own has 107 bytes, on Linux.
func TestLongestPath(t *testing.T) {
	each(t, streams, func(t *testing.T, tr afunix.Transport, network string) {
		dir := filepath.Dir(socketPath(t))
		path := dir + "/" + strings.Repeat("x", 103-len(dir)-1) // 104 with the NUL elsewhere
		listen(t, tr, network, path)
		if err := dialAttempt(t, tr, network, path); err != nil {
			t.Error(err)
		}
	})
}

func TestErrorsBeforeAnySystemCall(t *testing.T) {
	var unknown net.UnknownNetworkError
	var address *net.AddrError
	local := func(network string) *net.UnixAddr { return &net.UnixAddr{Name: "here", Net: network} }
	dialer := func(d afunix.Dialer, network, address string) error {
		return second(d.DialContext(t.Context(), network, address))
	}
	_, _, pairErr := afunix.Pair("tcp")
	for name, test := range map[string]struct {
		err error
		as  any
	}{
		"dial tcp":               {second(afunix.Dial("tcp", "x")), &unknown},
		"listen tcp":             {second(afunix.Listen("tcp", "x")), &unknown},
		"listen unixgram":        {second(afunix.Listen("unixgram", "x")), &unknown},
		"listen for packets":     {second(afunix.ListenPacket("unix", "x")), &unknown},
		"pair of tcp":            {pairErr, &unknown},
		"local address mismatch": {dialer(afunix.Dialer{LocalAddr: local("unixgram")}, "unix", "x"), &address},
	} {
		var op *net.OpError
		if !errors.As(test.err, &op) || !errors.As(test.err, test.as) {
			t.Errorf("%s: %v (%T)", name, test.err, test.err)
		}
	}
	if err := dialer(afunix.Dialer{}, "unix", ""); err == nil || !strings.Contains(err.Error(), "missing address") {
		t.Errorf("dial nowhere: %v", err)
	}
	if err := dialer(afunix.Dialer{Transport: 7}, "unix", "x"); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("unknown transport: %v", err)
	}
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
		if _, err := a.WriteMsg(big, testenv.TempFile(t, "")); !errors.Is(err, syscall.EMSGSIZE) {
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
