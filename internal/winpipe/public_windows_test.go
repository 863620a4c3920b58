package winpipe

import (
	"crypto/rand"
	"errors"
	"net"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/windows"

	"afunix/internal/lookalike"
	"afunix/internal/pipe"
	"afunix/internal/sock"
	"afunix/internal/testenv"
)

func publicName() string { return `\\.\pipe\afunix-test-` + rand.Text() }

// However a public name is written, afunix finds afunix behind it, by the type of socket.
func TestPrivatePipeBehindAPublicName(t *testing.T) {
	name := publicName()
	l := listen(t, name)
	short := strings.TrimPrefix(name, `\\.\pipe\`)
	for _, spelt := range []string{name, `\\.\PIPE\` + strings.ToUpper(short), `//./pipe/` + strings.ToLower(short),
		`\\?\pipe\` + short, `\\.\pipe\x\..\` + short, `\\.\C:\..\pipe\` + short} {
		p := dial(t, spelt)
		q := accept(t, l)
		p.Close()
		q.Close()
	}
	for _, other := range []string{name, `\\.\pipe\` + short + "x"} {
		_, err := system.Dial(t.Context(), other, "", sock.Seqpacket)
		expectPlain(t, err)
	}
	if _, err := system.Listen(name, stream, pipe.Options{}); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("a second listener: %v, want EADDRINUSE", err)
	}
	if err := l.Close(); err != nil && err != net.ErrClosed {
		t.Error(err)
	}
	_, err := system.Dial(t.Context(), name, "", stream)
	expectPlain(t, err)
}

// The longest name is as documented. Of a longer one nobody says that it is there already.
func TestLongestPublicName(t *testing.T) {
	longest := publicName()
	longest += strings.Repeat("x", 256-len(longest))
	l := listen(t, longest)
	p := dial(t, longest)
	q := accept(t, l)
	p.Close()
	q.Close()
	too := longest + strings.Repeat("x", 44)
	if exists(too) {
		t.Error("a name that is too long is there")
	}
	if h, err := firstOf(too, nil); err == nil {
		windows.CloseHandle(h)
		t.Error("there can be pipes with a name of 300 characters")
	}
}

// expectPlain wants the error by which callers know that a plain stream may be behind the name.
func expectPlain(t *testing.T, err error) {
	t.Helper()
	var other *lookalike.Error
	if !errors.As(err, &other) || other.What != lookalike.Pipe || other.Errno != syscall.ECONNREFUSED {
		t.Errorf("%v, want that it is a pipe", err)
	}
}

// A private pipe of another user's is none: a stranger who has squatted its name is not talked to,
// and does not keep anybody from the public pipe.
func TestPrivatePipeOfAStrangerIsNone(t *testing.T) {
	testenv.NeedWindows(t, "a pipe shows no owner")
	name := publicName()
	short := strings.TrimPrefix(name, `\\.\pipe\`)
	id := publicID(short, stream)
	attributes, err := securityAttributes("O:S-1-5-32-545D:(A;;GA;;;WD)") // Users: this needs a privilege
	if err != nil {
		t.Fatal(err)
	}
	for _, make := range []func() error{
		func() error { _, err := newSentinel(id, attributes); return err },
		func() error { _, err := newInstance(id, attributes, true); return err },
	} {
		if err := make(); err != nil {
			t.Skip("no pipe of another owner can be made here: ", err)
		}
	}
	_, err = system.Dial(t.Context(), name, "", stream)
	expectPlain(t, err)
}

// Looking where a path leads does not open a pipe: not by a link to it, nor by a link to where
// pipes are.
func TestLinkToAPipeIsNotOpened(t *testing.T) {
	testenv.NeedWindows(t, "symbolic links of Windows")
	s := testenv.NewPipeServer(t)
	for link, target := range map[string]string{"file": `\\.\pipe\` + s.Name, "dir": `\\.\pipe`} {
		path := testenv.TempDir(t) + `\` + link
		from, _ := windows.UTF16PtrFromString(path)
		to, _ := windows.UTF16PtrFromString(target)
		const unprivileged = 2 // SYMBOLIC_LINK_FLAG_ALLOW_UNPRIVILEGED_CREATE
		if err := windows.CreateSymbolicLink(from, to, unprivileged); err != nil {
			t.Skip("no symbolic links may be made here: ", err)
		}
		if link == "dir" {
			path += `\` + s.Name
		}
		if _, err := system.Dial(t.Context(), path, "", stream); !errors.Is(err, syscall.ECONNREFUSED) && !errors.Is(err, syscall.ENOENT) {
			t.Errorf("%s: %v", link, err)
		}
		if s.Visited() {
			t.Errorf("%s: the server of the pipe has seen a client", link)
		}
	}
}
