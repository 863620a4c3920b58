package apitest

import (
	"errors"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"afunix"
)

// Some programs (Node before it bound names by their length, lua-posix) fill an abstract name up
// with NULs. Those are part of the name: the name without them is somebody else's.
func TestDialANamePaddedWithNULs(t *testing.T) {
	plain := "@afunix-padded-" + strconv.Itoa(os.Getpid())
	padded := plain + strings.Repeat("\x00", len(syscall.RawSockaddrUnix{}.Path)-len(plain))
	fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(fd)
	if err := errors.Join(syscall.Bind(fd, &syscall.SockaddrUnix{Name: padded}), syscall.Listen(fd, 1)); err != nil {
		t.Fatal(err)
	}
	d := afunix.Dialer{Transport: afunix.KernelTransport}
	if _, err := d.DialContext(t.Context(), "unix", plain); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("without NULs: %v, want ECONNREFUSED", err)
	}
	c, err := d.DialContext(t.Context(), "unix", padded)
	if err != nil {
		t.Fatalf("with NULs: %v", err)
	}
	c.Close()
}
