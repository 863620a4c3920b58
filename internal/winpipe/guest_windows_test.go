package winpipe

import (
	"maps"
	"net"
	"os"
	"runtime"
	"syscall"
	"testing"

	"golang.org/x/sys/windows"

	"afunix/internal/leaktest"
	"afunix/internal/pipe"
	"afunix/internal/testenv"
)

func acceptGuest(t *testing.T, l pipe.Source) (g pipe.Guest) {
	t.Helper()
	err := within(t, "AcceptGuest", func() (err error) { g, err = l.(pipe.Host).AcceptGuest(); return err })
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// Mode and Group say who may connect at either door, and who may serve there: nobody else.
func TestModeOfAPublicName(t *testing.T) {
	for mode, access := range map[os.FileMode]uint32{0: 0, 0o600: 0, 0o666: clientAccess} {
		source, err := system.Listen(publicName(), stream, pipe.Options{Mode: mode})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { source.Close() })
		l := source.(*Listener)
		for _, e := range l.entrances() {
			g := guardOf(t, e.attributes.SecurityDescriptor)
			if g.owner != user() || !g.protected || g.allowed[everyoneSID] != access {
				t.Errorf("Mode %#o: %s is made with %+v", mode, e.pipe, g)
			}
			if !onWine() { // pipes have no access control lists there
				g := guardOfHandle(t, e.waiting[0].pipe, windows.SE_KERNEL_OBJECT)
				want := map[string]uint32{user(): 0x1F01FF, systemSID: 0x1F01FF}
				if access != 0 {
					want[everyoneSID] = access
				}
				if g.owner != user() || !maps.Equal(g.allowed, want) {
					t.Errorf("Mode %#o: %s has %+v, want %v", mode, e.pipe, g, want)
				}
			}
		}
	}
}

// A listener that does not get all of its pipes leaves none behind.
func TestPublicNameWhosePrivatePipeIsTaken(t *testing.T) {
	name := publicName()
	id := publicID(name[len(device):], stream)
	attributes, err := securityAttributes("")
	if err != nil {
		t.Fatal(err)
	}
	claim, err := newSentinel(id, attributes)
	if err != nil {
		t.Fatal(err)
	}
	leaktest.Check(t)
	if _, err := system.Listen(name, stream, pipe.Options{}); err != errPrivateTaken {
		t.Errorf("%v, want EADDRINUSE, and why", err)
	}
	if exists(name) {
		t.Error("the public pipe is still there")
	}
	windows.CloseHandle(claim)
	listen(t, name)
}

// Without a public name nobody comes by one.
func TestNoGuestsWithoutAPublicName(t *testing.T) {
	if g, err := listen(t, abstractName(t)).AcceptGuest(); err != net.ErrClosed {
		t.Errorf("%v, %v", g, err)
	}
}

// A public pipe has any number of instances, and is one of bytes.
func TestPublicPipe(t *testing.T) {
	l := listen(t, publicName())
	var flags, limit uint32
	h := l.public.waiting[0].pipe
	if err := windows.GetNamedPipeInfo(h, &flags, nil, nil, &limit); err != nil {
		t.Fatal(err)
	}
	if flags&windows.PIPE_TYPE_MESSAGE != 0 || limit < windows.PIPE_UNLIMITED_INSTANCES {
		t.Errorf("flags %#x, at most %d instances", flags, limit)
	}
	for range 300 { // more than PIPE_UNLIMITED_INSTANCES is as a number
		testenv.MustOpenPipe(t, l.public.pipe)
		g := acceptGuest(t, l)
		t.Cleanup(func() { g.Close() })
	}
}

// A suspended listener goes on in the order in which clients came, with those of either door.
func TestSuspendedPublicNameIsResumed(t *testing.T) {
	name := publicName()
	l := listen(t, name)
	for round := range 3 {
		early := testenv.MustOpenPipe(t, name)
		accepting := make(chan error, 1)
		acceptGuest(t, l).Close()
		early.Close()
		go func() { _, err := l.AcceptGuest(); accepting <- err }()
		runtime.Gosched()
		handles, state, err := l.Suspend()
		if err != nil {
			t.Fatal(err)
		}
		if err := within(t, "AcceptGuest", func() error { return <-accepting }); err != net.ErrClosed {
			t.Errorf("AcceptGuest during Suspend: %v, want net.ErrClosed", err)
		}
		if len(handles) != 1+maxInstances+maxGuests {
			t.Errorf("round %d: %d handles", round, len(handles))
		}
		meanwhile := testenv.MustOpenPipe(t, name)
		private := dial(t, name)
		next, err := system.OpenSource(duplicateHandles(t, handles), state)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { next.Close() })
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		l = next.(*Listener)
		write(t, private, []byte("private"))
		if got := string(read(t, accept(t, l))); got != "private" {
			t.Errorf("got %q", got)
		}
		stream, err := acceptGuest(t, l).(*Guest).Stream()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := meanwhile.WriteString("meanwhile"); err != nil {
			t.Fatal(err)
		}
		if _, ok := stream.file.(*eventFile); !ok {
			t.Error("a guest who was handed on was given to Go's poller")
		}
		b := make([]byte, 20)
		if n, err := stream.Read(b); err != nil || string(b[:n]) != "meanwhile" {
			t.Errorf("read %q, %v", b[:n], err)
		}
		stream.Close()
	}
}

// A stranger chose the handles of a public name: none is served that is not the public pipe's.
func TestHandlesThatAreNoPublicPipesAreRefused(t *testing.T) {
	leaktest.Check(t)
	handles, state, err := listen(t, publicName()).Suspend()
	if err != nil {
		t.Fatal(err)
	}
	others, _, err := listen(t, publicName()).Suspend()
	if err != nil {
		t.Fatal(err)
	}
	public := 1 + maxInstances
	for what, chosen := range map[string][]uintptr{
		"another listener's public pipe": append(handles[:public:public], others[public]),
		"a private instance as a guest":  append(handles[:public:public], handles[1]),
		"a public instance as a private": append(handles[:public-1:public-1], handles[public], handles[public]),
	} {
		l, err := system.OpenSource(duplicateHandles(t, chosen), state)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			err := within(t, "AcceptGuest", func() error { _, err := l.(*Listener).AcceptGuest(); return err })
			if err != syscall.EPROTO {
				t.Errorf("%s: %v, want EPROTO", what, err)
			}
		}
		if err := within(t, "Close", l.Close); err != nil {
			t.Errorf("%s: Close: %v", what, err)
		}
	}
	if _, err := system.OpenSource(duplicateHandles(t, handles[:public-1]), state); err != syscall.EPROTO {
		t.Errorf("too few handles: %v, want EPROTO", err)
	}
	messages, err := newEntrance(device+"x"+abstractName(t)[1:], messageMode, quota, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer messages.close()
	if err := messages.add(true); err != nil {
		t.Fatal(err)
	}
	for mode, want := range map[uint32]error{messageMode: nil, byteMode: syscall.EPROTO} {
		if err := checkEnd(messages.waiting[0].pipe, true, mode); err != want {
			t.Errorf("a pipe of messages for mode %#x: %v, want %v", mode, err, want)
		}
	}
}
