package main

import (
	"errors"
	"io"
	"os"
	"os/user"
	"runtime"
	"strings"
	"testing"
	"time"

	"afunix"
	"afunix/internal/testenv"
)

// eachPair runs f with two connected sockets of each transport.
func eachPair(t *testing.T, f func(t *testing.T, a, b *afunix.Conn)) {
	for _, tr := range transports {
		t.Run(tr.String(), func(t *testing.T) {
			a, b, err := tr.Pair("unix")
			if errors.Is(err, errors.ErrUnsupported) {
				t.Skip("not on this system")
			}
			if err != nil {
				t.Fatal(err)
			}
			defer a.Close()
			defer b.Close()
			for _, c := range []*afunix.Conn{a, b} {
				if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
					t.Fatal(err)
				}
			}
			f(t, a, b)
		})
	}
}

// Only descriptors mark where a message begins: a stream may deliver data together with the
// descriptors behind it.
func TestMessagesBeginWithDescriptors(t *testing.T) {
	eachPair(t, func(t *testing.T, a, b *afunix.Conn) {
		if _, _, over := a.Packets(); over {
			testenv.NeedPipeRights(t)
		}
		f, err := os.Open(os.DevNull)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		long := strings.Repeat("long ", 40_000)
		sent := make(chan error, 1)
		go func() {
			_, err1 := a.WriteMsg([]byte(long), f)
			_, err2 := a.WriteMsg([]byte("two"), f, f)
			sent <- errors.Join(err1, err2, a.Close())
		}()
		in := &incoming{conn: b, buf: make([]byte, 1000)}
		defer in.close()
		data := ""
		for _, rights := range []int{1, 2} {
			m, err := in.next()
			if err != nil {
				t.Fatal(err)
			}
			defer m.close()
			data += string(m.data)
			if m.rights.Len() != rights {
				t.Errorf("%d descriptors, want %d", m.rights.Len(), rights)
			}
		}
		if data != long+"two" {
			t.Errorf("%d bytes came, and should have been %d", len(data), len(long)+3)
		}
		if _, err := in.next(); err != io.EOF {
			t.Errorf("at the end: %v", err)
		}
		if err := <-sent; err != nil {
			t.Error(err)
		}
	})
}

func TestErrorAboutAThingNamesIt(t *testing.T) {
	eachPair(t, func(t *testing.T, a, _ *afunix.Conn) {
		f, err := os.Open(os.DevNull)
		if err != nil {
			t.Fatal(err)
		}
		f.Close()
		_, err = a.WriteMsg([]byte("x"), f)
		if err = naming(err, []string{"the file"}); err == nil || !strings.HasPrefix(err.Error(), "the file: ") {
			t.Errorf("%v", err)
		}
	})
}

// Where no mode keeps others out, recv does.
func TestRecvIsForItsOwnUser(t *testing.T) {
	self, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	own := afunix.Credentials{UID: os.Getuid(), GID: os.Getgid()}
	if runtime.GOOS == "windows" {
		own.SID = self.Uid
	}
	stranger := afunix.Credentials{UID: 54321, GID: 54321, SID: "S-1-5-21-1-2-3-54321"}
	if err := ownUser(own); err != nil {
		t.Error(err)
	}
	if err := ownUser(stranger); err == nil {
		t.Error("a stranger is let in")
	}
	l, err := recvOptions{addr: "@" + t.Name()}.listen(t.Context())
	if errors.Is(err, errors.ErrUnsupported) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
}
