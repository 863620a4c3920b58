package linuxpipe

import (
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"afunix/internal/pipe"
	"afunix/internal/testenv"
)

// option sets a socket option behind the pipe's back, as a former owner of the end can. It reports
// whether the kernel has it.
func option(t *testing.T, p *Pipe, name, value int) bool {
	t.Helper()
	var err error
	if err := p.raw.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, name, value) }); err != nil {
		t.Fatal(err)
	}
	if err != nil && err != unix.ENOPROTOOPT {
		t.Fatal(err)
	}
	return err == nil
}

// attach sends a packet with a descriptor beside it.
func attach(t *testing.T, p *Pipe, f *os.File) (err error) {
	t.Helper()
	if err := p.raw.Control(func(fd uintptr) {
		err = unix.Sendmsg(int(fd), []byte("packet"), unix.UnixRights(int(f.Fd())), nil, 0)
	}); err != nil {
		t.Fatal(err)
	}
	return err
}

// Whatever else is switched on does not push out the process that the kernel attaches to the hello.
func TestThePeerIsNamedBesideWhateverElseIsSwitchedOn(t *testing.T) {
	testenv.NeedPipeRights(t)
	server, client := connected(t)
	const soTimestamp, soInq = 29, 84 // include/uapi/asm-generic/socket.h
	for _, name := range []int{soTimestamp, unix.SO_PASSSEC, soInq} {
		option(t, server, name, 1)
	}
	if err := client.Write([]byte("hello"), nil); err != nil {
		t.Fatal(err)
	}
	packet(t, server)
	who, ability, err := server.Identify(nil)
	if err != nil || who.PID != os.Getpid() || ability != pipe.CanPull {
		t.Errorf("%v with ability %v, %v", who, ability, err)
	}
}

// Nobody parks descriptors in a pipe, where the kernel can be told to refuse them; and those that
// come although it was told are closed.
func TestNobodyParksDescriptorsInAPipe(t *testing.T) {
	server, client := connected(t)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	if option(t, server, unix.SO_PASSRIGHTS, 0) {
		for _, ends := range [][2]*Pipe{{server, client}, {client, server}} {
			if err := attach(t, ends[0], w); err != unix.EPERM {
				t.Errorf("a descriptor is sent: %v; want EPERM", err)
			}
		}
		option(t, server, unix.SO_PASSRIGHTS, 1) // a former owner has
	}
	if err := attach(t, client, w); err != nil {
		t.Fatal(err)
	}
	w.Close()
	if got := packet(t, server); string(got) != "packet" {
		t.Errorf("read %q", got)
	}
	if err := r.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if n, err := r.Read(make([]byte, 1)); n != 0 || os.IsTimeout(err) {
		t.Errorf("a copy of the descriptor is still open: %d, %v", n, err)
	}
}
