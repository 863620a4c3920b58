package winpipe

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/windows"

	"afunix/internal/cred"
	"afunix/internal/leaktest"
	"afunix/internal/pipe"
	"afunix/internal/winfile"
)

// childAddress is the environment variable that makes the test binary the second process, and says
// where the first one is.
const childAddress = "AFUNIX_WINPIPE_CHILD"

func TestMain(m *testing.M) {
	if address := os.Getenv(childAddress); address != "" {
		if err := child(address); err != nil {
			fmt.Fprintln(os.Stderr, "child:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	leaktest.Main(m)
}

// child connects, introduces itself, and does what the parent's packets say until the connection
// ends.
func child(address string) error {
	p, err := system.Dial(context.Background(), address, "", stream)
	if err != nil {
		return err
	}
	defer p.Close()
	if _, _, err := introduce(p); err != nil {
		return err
	}
	for {
		packet, err := tryRead(p)
		if err != nil {
			return nil // the parent is done
		}
		answer, err := obey(p, strings.Split(string(packet), " "))
		if err != nil {
			answer = "error: " + err.Error()
		}
		if err := p.Write([]byte("="+answer), nil); err != nil {
			return err
		}
	}
}

// introduce does what hellos do: proofs are exchanged, processes identified and answered.
func introduce(p pipe.Pipe) (cred.Credentials, pipe.Ability, error) {
	fail := func(err error) (cred.Credentials, pipe.Ability, error) { return cred.Credentials{}, 0, err }
	ours, err := p.Proof()
	if err != nil {
		return fail(err)
	}
	if len(ours) > pipe.MaxProof {
		return fail(errors.New("the proof is too long"))
	}
	if err := p.Write(ours, nil); err != nil {
		return fail(err)
	}
	theirs, err := tryRead(p)
	if err != nil {
		return fail(err)
	}
	credentials, abilities, err := p.Identify(theirs)
	if err != nil {
		return fail(err)
	}
	if err := p.Answer(); err != nil {
		return fail(err)
	}
	if err := p.Write([]byte("answered"), nil); err != nil {
		return fail(err)
	}
	if _, err := tryRead(p); err != nil {
		return fail(err)
	}
	if !p.Confirmed() {
		return fail(errors.New("the peer has answered, but is not confirmed"))
	}
	return credentials, abilities, nil
}

// obey carries out one command of the parent in the child.
func obey(p pipe.Pipe, words []string) (string, error) {
	arg := func(i int) uintptr { v, _ := strconv.ParseUint(words[i], 10, 64); return uintptr(v) }
	switch words[0] {
	case "open":
		name, _ := windows.UTF16PtrFromString(words[1])
		h, err := windows.CreateFile(name, windows.GENERIC_READ, winfile.ShareAll, nil, windows.OPEN_EXISTING, 0, 0)
		return fmt.Sprint(uintptr(h)), err
	case "event":
		h, err := windows.CreateEvent(nil, 1, 0, nil)
		return fmt.Sprint(uintptr(h)), err
	case "section":
		h, err := newSection(words[1])
		return fmt.Sprint(uintptr(h)), err
	case "socket":
		h, err := listeningSocket()
		return fmt.Sprint(uintptr(h)), err
	case "read":
		return readSome(arg(1))
	case "look":
		return sectionText(arg(1))
	case "isset":
		return isSet(arg(1)), nil
	case "port":
		return port(arg(1))
	case "pull":
		v, err := p.Pull(uint64(arg(1)))
		return fmt.Sprint(v), err
	case "push":
		v, err := p.Push(arg(1))
		return fmt.Sprint(v), err
	case "export":
		b, err := p.ExportSocket(arg(1))
		return hex.EncodeToString(b), err
	case "import":
		b, _ := hex.DecodeString(words[1])
		v, err := p.ImportSocket(b)
		return fmt.Sprint(v), err
	case "end":
		return obeyEnd(words[1], words[2:])
	case "source":
		return obeySource(words[1], words[2:])
	case "exit":
		os.Exit(0)
	}
	return "", fmt.Errorf("unknown command %q", words)
}

func newSection(text string) (windows.Handle, error) {
	h, err := windows.CreateFileMapping(windows.InvalidHandle, nil, windows.PAGE_READWRITE, 0, 4096, nil)
	if err != nil {
		return 0, err
	}
	return h, withView(h, func(view []byte) { view[copy(view, text)] = 0 })
}

func sectionText(v uintptr) (text string, err error) {
	err = withView(windows.Handle(v), func(view []byte) { text = windows.BytePtrToString(&view[0]) })
	return text, err
}

func readSome(v uintptr) (string, error) {
	var b [5]byte
	var n uint32
	err := windows.ReadFile(windows.Handle(v), b[:], &n, nil)
	return string(b[:n]), err
}

func isSet(v uintptr) string {
	event, err := windows.WaitForSingleObject(windows.Handle(v), 0)
	return fmt.Sprint(err == nil && event == windows.WAIT_OBJECT_0)
}

func listeningSocket() (windows.Handle, error) {
	h, err := windows.Socket(windows.AF_INET, windows.SOCK_STREAM, windows.IPPROTO_TCP)
	if err != nil {
		return 0, err
	}
	if err := windows.Bind(h, &windows.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		return 0, err
	}
	return h, windows.Listen(h, 1)
}

func port(v uintptr) (string, error) {
	name, err := windows.Getsockname(windows.Handle(v))
	if err != nil {
		return "", err
	}
	return strconv.Itoa(name.(*windows.SockaddrInet4).Port), nil
}

// A second is the second process, as the first one sees it.
type second struct {
	t           *testing.T
	pipe        *Pipe
	cmd         *exec.Cmd
	credentials cred.Credentials
	abilities   pipe.Ability
}

func startSecond(t *testing.T) *second {
	t.Helper()
	address := abstractName(t)
	l := listen(t, address)
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childAddress+"="+address)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	s := &second{t: t, cmd: cmd, pipe: accept(t, l)}
	t.Cleanup(func() {
		s.pipe.Close()
		within(t, "the second process", cmd.Wait)
	})
	err := within(t, "the introduction", func() (err error) {
		s.credentials, s.abilities, err = introduce(s.pipe)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// do has the second process carry out a command.
func (s *second) do(words ...any) string {
	s.t.Helper()
	write(s.t, s.pipe, []byte(strings.TrimSuffix(fmt.Sprintln(words...), "\n")))
	var answer []byte
	err := within(s.t, "the second process", func() (err error) { answer, err = tryRead(s.pipe); return err })
	if err != nil {
		s.t.Fatal(err)
	}
	return string(answer[1:])
}

func (s *second) value(words ...any) uintptr {
	s.t.Helper()
	answer := s.do(words...)
	v, err := strconv.ParseUint(answer, 10, 64)
	if err != nil {
		s.t.Fatalf("%v: %s", words, answer)
	}
	return uintptr(v)
}

func (s *second) expect(want string, words ...any) {
	s.t.Helper()
	if got := s.do(words...); got != want {
		s.t.Errorf("%v: %q, want %q", words, got, want)
	}
}

func closeHandles(t *testing.T, values ...uintptr) {
	t.Cleanup(func() {
		for _, v := range values {
			windows.CloseHandle(windows.Handle(v))
		}
	})
}
