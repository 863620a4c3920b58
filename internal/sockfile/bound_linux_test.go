package sockfile

import (
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// Whichever way the kernel is asked, it names the file that the socket was bound to, wherever that
// has gone since, and nothing for a socket without one. A way that is closed here says so.
func TestBoundIsTheFileOfTheSocket(t *testing.T) {
	for name, ask := range map[string]func(fd uintptr) (id, bool){"SIOCUNIXFILE": opened, "sock_diag": diagnosed} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "s")
			fd := socket(t)
			if err := unix.Bind(fd, &unix.SockaddrUnix{Name: path}); err != nil {
				t.Fatal(err)
			}
			want, ok := at(unix.AT_FDCWD, path)
			if !ok {
				t.Fatal("there is no socket file")
			}
			before := open(t)
			got, ok := ask(uintptr(fd))
			if !ok {
				t.Skip("the kernel does not say: it takes CAP_NET_ADMIN for the one, and unix_diag, a module, for the other")
			}
			if got != want {
				t.Errorf("%v; want %v", got, want)
			}
			if err := os.Rename(path, path+"2"); err != nil {
				t.Fatal(err)
			}
			if got, ok := ask(uintptr(fd)); !ok || got != want {
				t.Errorf("renamed: %v, %v; want %v", got, ok, want)
			}
			if got, ok := ask(uintptr(socket(t))); ok {
				t.Errorf("a socket without a file has %v", got)
			}
			if after := open(t); after != before+1 { // that socket
				t.Errorf("%d descriptors are open, and %d were before", after, before)
			}
		})
	}
}

func socket(t *testing.T) int {
	t.Helper()
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	return fd
}

// open counts this process's descriptors.
func open(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}
