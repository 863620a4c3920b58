package linuxpipe

import (
	"os"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"afunix/internal/pipe"
	"afunix/internal/testenv"
)

func TestPeerIsWhoTheKernelNames(t *testing.T) {
	testenv.NeedPipeRights(t)
	for name, ends := range map[string]func(t *testing.T) (a, b *Pipe){
		"dialled": connected,
		"pair": func(t *testing.T) (a, b *Pipe) {
			x, y, err := system.Pair()
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { x.Close(); y.Close() })
			return x.(*Pipe), y.(*Pipe)
		},
	} {
		t.Run(name, func(t *testing.T) {
			a, b := ends(t)
			for _, dir := range [][2]*Pipe{{a, b}, {b, a}} {
				from, to := dir[0], dir[1]
				from.Write([]byte("hello"), nil)
				packet(t, to)
				who, can, err := to.Identify(nil)
				if err != nil || who.PID != os.Getpid() || who.UID != os.Getuid() || who.GID != os.Getgid() {
					t.Errorf("peer is %+v, %v", who, err)
				}
				if can != pipe.CanPull {
					t.Errorf("ability %b, want only to pull", can)
				}
				f, err := os.Open("/dev/null")
				if err != nil {
					t.Fatal(err)
				}
				fd, err := to.Pull(uint64(f.Fd()))
				if err != nil {
					t.Fatal(err)
				}
				pulled := os.NewFile(fd, "pulled")
				a, _ := f.Stat()
				b, _ := pulled.Stat()
				if !os.SameFile(a, b) {
					t.Error("another file was pulled")
				}
				f.Close()
				pulled.Close()
				if _, err := to.Pull(uint64(fd)); err != syscall.EBADF {
					t.Errorf("pulling a closed descriptor: %v, want EBADF", err)
				}
			}
		})
	}
}

// A process that is out of descriptors when it is told who its peer is learns it later. Until then
// what the peer sends is lost.
func TestPeerIsKnownWhenThereIsRoomForIt(t *testing.T) {
	testenv.NeedPipeRights(t)
	f, err := os.Open("/dev/null")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	pull := func(p *Pipe) error {
		fd, err := p.Pull(uint64(f.Fd()))
		if err == nil {
			unix.Close(int(fd))
		}
		return err
	}
	expect := func(what string, got, want error) {
		t.Helper()
		if got != want {
			t.Errorf("%s: %v, want %v", what, got, want)
		}
	}
	server, client := connected(t)
	withoutRoom(t, func() {
		client.Write([]byte("hello"), nil)
		packet(t, server)
		who, can, err := server.Identify(nil)
		if err != nil || who.PID != os.Getpid() || can != pipe.CanPull {
			t.Errorf("peer is %+v, which can %b, %v", who, can, err)
		}
		expect("without room", pull(server), syscall.EMFILE)
		client.Write([]byte("packet"), nil)
		packet(t, server)
		expect("still without room", pull(server), syscall.EMFILE)
	})
	expect("before the next packet", pull(server), syscall.EMFILE)
	client.Write([]byte("packet"), nil)
	packet(t, server)
	expect("with room", pull(server), nil)
	if server.peer.awaited() {
		t.Error("the kernel is asked with each packet")
	}
}
