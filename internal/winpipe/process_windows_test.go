package winpipe

import (
	"encoding/hex"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"golang.org/x/sys/windows"

	"afunix/internal/cred"
	"afunix/internal/pipe"

	"afunix/internal/testenv"
)

func TestPeerIsIdentifiedAsTheProcessItIs(t *testing.T) {
	s := startSecond(t)
	want := cred.Credentials{PID: s.cmd.Process.Pid, UID: -1, GID: -1, SID: user()}
	if s.credentials != want || !s.credentials.SameUser() {
		t.Errorf("credentials %+v, want %+v", s.credentials, want)
	}
	if want := pipe.CanPull | pipe.CanPush | pipe.Trusts; s.abilities != want {
		t.Errorf("abilities %03b, want %03b", s.abilities, want)
	}
	if !s.pipe.ExportsSockets() {
		t.Error("sockets could be duplicated like other handles")
	}
}

// testFile makes a file. Call it before startSecond, so that it is removed after the second process
// has ended.
func testFile(t *testing.T) string {
	path := filepath.Join(testenv.TempDir(t), "file")
	if err := os.WriteFile(path, []byte("0123456789"), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestPulledHandlesReferToTheSameObjects(t *testing.T) {
	path := testFile(t)
	s := startSecond(t)
	theirs := []uintptr{s.value("open", path), s.value("event"), s.value("section", "shared")}
	s.expect("01234", "read", theirs[0])
	var ours []uintptr
	for _, v := range theirs {
		pulled, err := s.pipe.Pull(uint64(v))
		if err != nil {
			t.Fatal(err)
		}
		expectNotInherited(t, pulled)
		ours = append(ours, pulled)
	}
	closeHandles(t, ours...)
	if got, err := readSome(ours[0]); got != "56789" || err != nil {
		t.Errorf("the file goes on with %q, %v", got, err)
	}
	windows.SetEvent(windows.Handle(ours[1]))
	s.expect("true", "isset", theirs[1])
	if got, err := sectionText(ours[2]); got != "shared" || err != nil {
		t.Errorf("the section has %q, %v", got, err)
	}
}

func TestPushedHandlesReferToTheSameObjects(t *testing.T) {
	path := testFile(t)
	s := startSecond(t)
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	event, err := windows.CreateEvent(nil, 1, 1, nil)
	if err != nil {
		t.Fatal(err)
	}
	section, err := newSection("shared")
	if err != nil {
		t.Fatal(err)
	}
	closeHandles(t, uintptr(event), uintptr(section))
	push := func(v uintptr) uint64 {
		theirs, err := s.pipe.Push(v)
		if err != nil {
			t.Fatal(err)
		}
		return theirs
	}
	s.expect("01234", "read", push(f.Fd()))
	s.expect("true", "isset", push(uintptr(event)))
	s.expect("shared", "look", push(uintptr(section)))
}

func TestClientDuplicatesAsTheServerDoes(t *testing.T) {
	s := startSecond(t)
	event, err := windows.CreateEvent(nil, 1, 1, nil)
	if err != nil {
		t.Fatal(err)
	}
	closeHandles(t, uintptr(event))
	s.expect("true", "isset", s.value("pull", uintptr(event)))
	ours := s.value("push", s.value("section", "shared"))
	closeHandles(t, ours)
	if got, err := sectionText(ours); got != "shared" || err != nil {
		t.Errorf("the section has %q, %v", got, err)
	}
}

func TestWhatIsTakenBackIsClosedThere(t *testing.T) {
	s := startSecond(t)
	event, err := windows.CreateEvent(nil, 1, 1, nil)
	if err != nil {
		t.Fatal(err)
	}
	closeHandles(t, uintptr(event))
	theirs, err := s.pipe.Push(uintptr(event))
	if err != nil {
		t.Fatal(err)
	}
	s.expect("true", "isset", theirs)
	if n := handleCount(t, event); n != 2 {
		t.Fatalf("%d handles to the event are open, want 2", n)
	}
	if err := s.pipe.TakeBack(theirs); err != nil {
		t.Fatal(err)
	}
	if n := handleCount(t, event); n != 1 {
		t.Errorf("%d handles to the event are open, want the original only", n)
	}
	if got := isSet(uintptr(event)); got != "true" {
		t.Error("the original is gone, too")
	}
}

func TestSocketsGoByExportInBothDirections(t *testing.T) {
	s := startSecond(t)
	ours, err := listeningSocket()
	if err != nil {
		t.Fatal(err)
	}
	defer windows.Closesocket(ours)
	description, err := s.pipe.ExportSocket(uintptr(ours))
	if err != nil {
		t.Fatal(err)
	}
	if len(description) > pipe.MaxExtra {
		t.Errorf("a description of %d bytes", len(description))
	}
	want, _ := port(uintptr(ours))
	imported := s.value("import", hex.EncodeToString(description))
	s.expect(want, "port", imported)

	theirs := s.value("socket")
	description, err = hex.DecodeString(s.do("export", theirs))
	if err != nil {
		t.Fatal(err)
	}
	copied, err := s.pipe.ImportSocket(description)
	if err != nil {
		t.Fatal(err)
	}
	defer windows.Closesocket(windows.Handle(copied))
	expectNotInherited(t, copied)
	got, err := port(copied)
	if err != nil {
		t.Fatal(err)
	}
	s.expect(got, "port", theirs)
	conn, err := net.Dial("tcp", "127.0.0.1:"+got)
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
}

func TestSocketDescriptionsOfTheWrongLengthAreRefused(t *testing.T) {
	a, _ := pair(t)
	for name, description := range map[string][]byte{
		"nothing":   nil,
		"too short": make([]byte, protocolInfo-1),
		"too long":  make([]byte, protocolInfo+1),
	} {
		if _, err := a.ImportSocket(description); err != syscall.EPROTO {
			t.Errorf("%s: %v, want EPROTO", name, err)
		}
	}
}

func TestValuesThatAreNoHandlesAreNeverPulled(t *testing.T) {
	s := startSecond(t)
	event := uint64(s.value("event"))
	values := []uint64{0, event | 1, event | 2, event | 3, 1 << 31, 1 << 32, event + 1<<32, 0xFFFFFFF4}
	for i := uint64(1); i <= 12; i++ {
		values = append(values, -i, -i&0xFFFFFFFF) // as 64 bits, and as 32
	}
	values = append(values, 0x3FFFFFFC) // well-formed, and not open
	for _, v := range values {
		if ours, err := s.pipe.Pull(v); err != syscall.EBADF {
			windows.CloseHandle(windows.Handle(ours))
			t.Errorf("Pull(%#x): %v, want EBADF", v, err)
		}
		if err := s.pipe.TakeBack(v); err != syscall.EBADF {
			t.Errorf("TakeBack(%#x): %v, want EBADF", v, err)
		}
	}
	if _, err := s.pipe.Push(uintptr(windows.CurrentProcess())); err != syscall.EBADF {
		t.Errorf("Push of our own process: %v, want EBADF", err)
	}
	ours, err := s.pipe.Proof() // which has an event of ours in it
	if err != nil {
		t.Fatal(err)
	}
	own, err := parseProof(ours)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.pipe.ExportSocket(uintptr(own.event)); err != syscall.EBADF {
		t.Errorf("ExportSocket of what is no socket: %v, want EBADF", err)
	}
}

func TestDeadPeerIsESRCH(t *testing.T) {
	s := startSecond(t)
	theirs := uint64(s.value("event"))
	event, err := windows.CreateEvent(nil, 1, 1, nil)
	if err != nil {
		t.Fatal(err)
	}
	closeHandles(t, uintptr(event))
	write(t, s.pipe, []byte("exit"))
	if err := within(t, "the second process", s.cmd.Wait); err != nil {
		t.Fatal(err)
	}
	if _, err := s.pipe.Pull(theirs); err != syscall.ESRCH {
		t.Errorf("Pull: %v, want ESRCH", err)
	}
	if _, err := s.pipe.Push(uintptr(event)); err != syscall.ESRCH {
		t.Errorf("Push: %v, want ESRCH", err)
	}
	if err := s.pipe.TakeBack(theirs); err != syscall.ESRCH {
		t.Errorf("TakeBack: %v, want ESRCH", err)
	}
}

// What it wrote before can still be read: so that it is gone must not end the connection.
func TestPeerThatDiedBeforeItWasIdentifiedHasCredentialsAndNoAbilities(t *testing.T) {
	address := abstractName(t)
	l := listen(t, address)
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childAddress+"="+address)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	server := accept(t, l)
	hello := read(t, server)
	cmd.Process.Kill()
	within(t, "the second process", cmd.Wait)
	cmd.Process.Release()
	credentials, abilities, err := server.Identify(hello)
	if err != nil {
		t.Fatal(err)
	}
	if credentials.PID != cmd.Process.Pid || credentials.SID != user() {
		t.Errorf("credentials %+v", credentials)
	}
	if abilities&(pipe.CanPull|pipe.CanPush) != 0 {
		t.Errorf("abilities %03b of a dead process", abilities)
	}
	if _, err := server.Pull(4); err != syscall.EPERM {
		t.Errorf("Pull: %v, want EPERM", err)
	}
}

func TestProofsThatAreNoneAreRefused(t *testing.T) {
	s := startSecond(t)
	pid := uint32(s.cmd.Process.Pid)
	for name, b := range map[string][]byte{
		"nothing":          nil,
		"too short":        proof{pid, 4}.append(nil)[:proofLen-1],
		"too long":         append(proof{pid, 4}.append(nil), 0),
		"a pseudo-handle":  proof{pid, 0xFFFFFFFF}.append(nil),
		"no handle at all": proof{pid, 0}.append(nil),
	} {
		if _, _, err := s.pipe.Identify(b); err != syscall.EPROTO {
			t.Errorf("%s: %v, want EPROTO", name, err)
		}
	}
}

// Its event is gone when an end is closed right after it has said hello, and the value may be
// another object's by then.
func TestPeerWhoseEventIsGoneCannotBeDuplicatedFrom(t *testing.T) {
	path := testFile(t)
	s := startSecond(t)
	pid := uint32(s.cmd.Process.Pid)
	for what, event := range map[string]uint32{"closed": 0x3FFFFFFC, "another object": uint32(s.value("open", path))} {
		c, a, err := s.pipe.Identify(proof{pid, event}.append(nil))
		if want := (cred.Credentials{PID: int(pid), UID: -1, GID: -1, SID: user()}); c != want || a != pipe.Trusts || err != nil {
			t.Errorf("%s: %+v, %03b, %v, want %+v, which is trusted", what, c, a, err, want)
		}
		if _, err := s.pipe.Pull(4); err != syscall.EPERM {
			t.Errorf("%s: Pull: %v, want EPERM", what, err)
		}
	}
}

// The number of the process that has the end now is not known, and nothing that this process says
// of our handles is believed.
func TestNewOwnerThatDoesNotProveItselfIsNotKnown(t *testing.T) {
	path := testFile(t)
	s := startSecond(t)
	a, _ := pair(t)
	pid := uint32(s.cmd.Process.Pid)
	for what, p := range map[string]proof{
		"no such process": {0xFFFFFFF0, 4},
		"no event":        {pid, 0x3FFFFFFC},
		"another object":  {pid, uint32(s.value("open", path))},
	} {
		c, can, err := a.Identify(p.append(nil))
		if want := (cred.Credentials{UID: -1, GID: -1, SID: user()}); c != want || can != 0 || err != nil {
			t.Errorf("%s: %+v, %03b, %v, want %+v and no abilities", what, c, can, err, want)
		}
	}
}

func TestPeerThatHasNotAnsweredIsNotConfirmed(t *testing.T) {
	a, b := pair(t)
	hello, err := b.Proof()
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := a.Identify(hello); err != nil {
		t.Fatal(err)
	}
	if a.Confirmed() {
		t.Error("confirmed before the answer")
	}
	if err := b.Answer(); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if !a.Confirmed() {
			t.Error("not confirmed after the answer")
		}
	}
}

func TestPeerCanBeIdentifiedAgain(t *testing.T) {
	s := startSecond(t)
	a, b := pair(t)
	for range 3 {
		hello, err := b.Proof()
		if err != nil {
			t.Fatal(err)
		}
		if c, _, err := a.Identify(hello); err != nil || c.PID != os.Getpid() {
			t.Fatalf("%+v, %v", c, err)
		}
	}
	// An end that was handed on: the process that opened it is another one than its proof names.
	moved := proof{uint32(s.cmd.Process.Pid), uint32(s.value("event"))}.append(nil)
	if c, _, err := a.Identify(moved); err != nil || c.PID != s.cmd.Process.Pid {
		t.Errorf("after a move: %+v, %v", c, err)
	}
	if a.Confirmed() {
		t.Error("the new owner is confirmed without an answer")
	}
}

func TestWithoutAPeerNothingIsDuplicated(t *testing.T) {
	a, _ := pair(t)
	_, pullErr := a.Pull(4)
	_, pushErr := a.Push(4)
	_, exportErr := a.ExportSocket(4)
	for call, err := range map[string]error{"Pull": pullErr, "Push": pushErr, "ExportSocket": exportErr, "TakeBack": a.TakeBack(4)} {
		if err != syscall.EPERM {
			t.Errorf("%s before Identify: %v, want EPERM", call, err)
		}
	}
}

func TestWitnessVouchesForNobodyElse(t *testing.T) {
	const stranger = "S-1-5-21-1-2-3-1001"
	client := witness{origin: origin{server: true}, subject: subject{user: user()}, ceiling: integrityMedium}
	late := client
	late.late = true
	system := witness{origin: origin{owner: administratorsSID},
		subject: subject{user: administratorsSID}, ceiling: integrityHigh}
	sandboxed := client
	sandboxed.subject.restricted = true
	server := witness{origin: origin{owner: user()}, subject: subject{user: user()}, ceiling: integrityMedium}
	const above = 0x100 // what a label does not show: "medium plus", or the system's own integrity
	for _, test := range []struct {
		name  string
		known witness
		who   subject
		moved bool
		want  error
	}{
		{"the user", client, subject{user: user(), integrity: integrityHigh}, false, nil},
		{"another user", client, subject{user: stranger}, false, syscall.EPERM},
		{"nobody", client, subject{}, false, syscall.EPERM},
		{"a new owner", client, subject{user: user(), integrity: integrityMedium}, true, nil},
		{"a new owner above the first", client, subject{user: user(), integrity: integrityHigh}, true, syscall.EPERM},
		{"the user, from a time that nobody knows", late, subject{user: user(), integrity: integrityMedium}, false, nil},
		{"somebody above the user from such a time", late, subject{user: user(), integrity: integrityHigh}, false, syscall.EPERM},
		{"the user, restricted", sandboxed, subject{user: user(), restricted: true}, true, nil},
		{"a new owner out of the sandbox", sandboxed, subject{user: user()}, true, syscall.EPERM},
		{"a server's new owner", server, subject{user: user(), integrity: integrityMedium + above}, true, nil},
		{"a server's new owner above the first", server, subject{user: user(), integrity: integrityHigh}, true, syscall.EPERM},
		{"a system's new owner", witness{subject: subject{user: systemSID}, ceiling: integrityHigh},
			subject{user: systemSID, integrity: integrityHigh + above}, true, nil},
		{"an administrator for Administrators", system, subject{user: user(), admin: true}, false, nil},
		{"a user for Administrators", system, subject{user: user()}, false, syscall.EPERM},
	} {
		if err := test.known.vouch(test.who, test.moved); err != test.want {
			t.Errorf("%s: %v, want %v", test.name, err, test.want)
		}
	}
}

func TestOnlyThePrivilegedAreTrusted(t *testing.T) {
	self, err := selfSubject()
	if err != nil {
		t.Fatal(err)
	}
	lower, restricted, stranger := self, self, self
	lower.integrity, lower.admin = self.integrity-1, false
	restricted.restricted, restricted.admin = true, false
	stranger.user, stranger.admin = "S-1-5-21-1-2-3-1001", false
	for _, test := range []struct {
		name string
		who  subject
		want bool
	}{
		{"ourselves", self, true},
		{"SYSTEM", subject{user: systemSID}, true},
		{"an elevated administrator", subject{user: stranger.user, admin: true}, true},
		{"lower integrity", lower, false},
		{"a restricted token", restricted, self.restricted},
		{"another user", stranger, false},
	} {
		if got := test.who.trusted(); got != test.want {
			t.Errorf("%s: trusted = %v, want %v", test.name, got, test.want)
		}
	}
}

// The server learns the client's user by impersonating it. Wine impersonates the server itself.
func TestImpersonationEndsAndYieldsTheClient(t *testing.T) {
	a, b := pair(t)
	write(t, b, []byte("x"))
	read(t, a) // Windows knows the client from the first packet on
	err := a.SyscallConn().Control(func(fd uintptr) {
		client, err := clientSubject(windows.Handle(fd))
		if err != nil || client.user != user() {
			t.Errorf("the client is %+v, %v", client, err)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	var token windows.Token
	if err := windows.OpenThreadToken(windows.CurrentThread(), windows.TOKEN_QUERY, true, &token); err != windows.ERROR_NO_TOKEN {
		t.Errorf("this thread impersonates somebody: %v", err)
	}
}

func TestImpersonationBeforeTheFirstPacketFails(t *testing.T) {
	if onWine() {
		t.Skip("skipped on Wine: impersonation yields the server itself at any time")
	}
	a, _ := pair(t)
	_, _, err := a.Identify(proof{uint32(os.Getpid()), 4}.append(nil))
	if err != syscall.EPERM {
		t.Errorf("Identify: %v, want EPERM", err)
	}
}
