package winpipe

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/sys/windows"

	"afunix/internal/pipe"
	"afunix/internal/testenv"
	"afunix/internal/winfile"
)

// What rests on Windows' own security. Wine has little of it: tests that show nothing there say so
// and are skipped.

// A guard is who may do what to an object.
type guard struct {
	owner     string
	protected bool              // nothing is inherited
	allowed   map[string]uint32 // the access that each user is granted
}

func guardOf(t *testing.T, descriptor *windows.SECURITY_DESCRIPTOR) guard {
	t.Helper()
	g := guard{allowed: make(map[string]uint32)}
	if owner, _, err := descriptor.Owner(); err != nil {
		t.Fatal(err)
	} else if owner != nil {
		g.owner = owner.String()
	}
	control, _, err := descriptor.Control()
	if err != nil {
		t.Fatal(err)
	}
	g.protected = control&windows.SE_DACL_PROTECTED != 0
	acl, _, err := descriptor.DACL()
	if err != nil || acl == nil {
		t.Fatalf("no access control list: %v", err)
	}
	for i := range uint32(acl.AceCount) {
		var ace *windows.ACCESS_ALLOWED_ACE
		if err := windows.GetAce(acl, i, &ace); err != nil {
			t.Fatal(err)
		}
		if ace.Header.AceType != windows.ACCESS_ALLOWED_ACE_TYPE {
			t.Fatalf("an entry of type %d", ace.Header.AceType)
		}
		g.allowed[(*windows.SID)(unsafe.Pointer(&ace.SidStart)).String()] |= uint32(ace.Mask)
	}
	return g
}

func guardOfHandle(t *testing.T, h windows.Handle, objectType windows.SE_OBJECT_TYPE) guard {
	t.Helper()
	descriptor, err := windows.GetSecurityInfo(h, objectType,
		windows.OWNER_SECURITY_INFORMATION|windows.DACL_SECURITY_INFORMATION)
	if err != nil {
		t.Fatal(err)
	}
	return guardOf(t, descriptor)
}

// private fails unless nobody but the user and SYSTEM is let in, with the access that full stands
// for.
func (g guard) private(t *testing.T, what string, full uint32) {
	t.Helper()
	want := map[string]uint32{user(): full, systemSID: full}
	if g.owner != user() || !g.protected || !maps.Equal(g.allowed, want) {
		t.Errorf("%s: %+v; want the owner %s and, protected, %v", what, g, user(), want)
	}
}

func TestDefaultSecurityLetsInTheUserAndSystemOnly(t *testing.T) {
	attributes, err := securityAttributes("")
	if err != nil {
		t.Fatal(err)
	}
	guardOf(t, attributes.SecurityDescriptor).private(t, "by default", windows.GENERIC_ALL)
}

// An owner that the user names, and a label, are left as they are.
func TestSecurityOfTheUsersOwn(t *testing.T) {
	const open = "D:(A;;0x12019b;;;WD)"
	const labelled = "O:SY" + open + "S:(ML;;NW;;;LW)"
	for sddl, owner := range map[string]string{open: user(), "O:BA" + open: administratorsSID, labelled: systemSID} {
		attributes, err := securityAttributes(sddl)
		if err != nil {
			t.Fatalf("%s: %v", sddl, err)
		}
		g := guardOf(t, attributes.SecurityDescriptor)
		if g.owner != owner || g.protected || !maps.Equal(g.allowed, map[string]uint32{everyoneSID: 0x12019B}) {
			t.Errorf("%s: %+v", sddl, g)
		}
		if sacl, _, err := attributes.SecurityDescriptor.SACL(); sddl == labelled && (err != nil || sacl == nil || sacl.AceCount != 1) {
			t.Errorf("%s became %s, %v", sddl, attributes.SecurityDescriptor, err)
		}
	}
}

// What Dial asks for is all that others need be granted, and does not let them serve other clients.
func TestClientAsksForNoInstanceOfItsOwn(t *testing.T) {
	const createInstance = windows.FILE_APPEND_DATA // FILE_CREATE_PIPE_INSTANCE
	if clientAccess&createInstance != 0 {
		t.Errorf("a client asks for %#x", clientAccess)
	}
}

func TestOnlyTheUserAndSystemAreLetIn(t *testing.T) {
	if onWine() {
		t.Skip("skipped on Wine: pipes have no access control lists, and files those of their mode")
	}
	const full = 0x1F01FF // FILE_ALL_ACCESS
	path := filepath.Join(testenv.TempDir(t), "socket")
	l := listen(t, path)
	guardOfHandle(t, l.private.waiting[0].pipe, windows.SE_KERNEL_OBJECT).private(t, "an instance that waits", full)
	guardOfHandle(t, l.sentinel, windows.SE_KERNEL_OBJECT).private(t, "the sentinel", full)
	b := dial(t, path)
	onHandle(t, b, func(h windows.Handle) {
		guardOfHandle(t, h, windows.SE_KERNEL_OBJECT).private(t, "the client's end", full)
	})
	descriptor, err := windows.GetNamedSecurityInfo(path, windows.SE_FILE_OBJECT,
		windows.OWNER_SECURITY_INFORMATION|windows.DACL_SECURITY_INFORMATION)
	if err != nil {
		t.Fatal(err)
	}
	guardOf(t, descriptor).private(t, "the socket file", full)
}

func onHandle(t *testing.T, p *Pipe, f func(windows.Handle)) {
	t.Helper()
	if err := p.SyscallConn().Control(func(fd uintptr) { f(windows.Handle(fd)) }); err != nil {
		t.Fatal(err)
	}
}

// A server learns who its client is, and can do nothing in its name.
func TestServerMayNotActAsItsClient(t *testing.T) {
	if onWine() {
		t.Skip("skipped on Wine: a server impersonates itself, at any level")
	}
	a, b := pair(t)
	write(t, b, []byte("x"))
	read(t, a) // the system knows the client from the first packet on
	onHandle(t, a, func(h windows.Handle) {
		level, err := asClient(t, h, openOwnProgram)
		if level != windows.SecurityIdentification || err != windows.ERROR_BAD_IMPERSONATION_LEVEL {
			t.Errorf("level %d, and opening a file as the client: %v", level, err)
		}
	})
}

// That it says something: a client that is not careful gives itself away.
func TestServerMayActAsACarelessClient(t *testing.T) {
	l := listen(t, abstractName(t))
	name, _ := windows.UTF16PtrFromString(l.id.pipeName())
	careless, err := windows.CreateFile(name, clientAccess, 0, nil, windows.OPEN_EXISTING, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer windows.CloseHandle(careless)
	a := accept(t, l)
	var n uint32
	if err := windows.WriteFile(careless, []byte("x"), &n, nil); err != nil {
		t.Fatal(err)
	}
	read(t, a)
	onHandle(t, a, func(h windows.Handle) {
		if level, err := asClient(t, h, openOwnProgram); level != windows.SecurityImpersonation || err != nil {
			t.Errorf("level %d, and opening a file as the client: %v", level, err)
		}
	})
}

// asClient calls f on a thread that impersonates the client of pipe, and returns the level at which
// it does.
func asClient(t *testing.T, pipe windows.Handle, f func() error) (level uint32, err error) {
	t.Helper()
	return impersonating(t, func() error { return impersonateNamedPipeClient(pipe) }, f)
}

// impersonating calls f on a thread that become has made somebody else's. A thread that cannot
// become itself again ends.
func impersonating(t *testing.T, become, f func() error) (level uint32, err error) {
	t.Helper()
	var fault error
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread()
		if fault = become(); fault != nil {
			runtime.UnlockOSThread()
			return
		}
		var token windows.Token
		if fault = windows.OpenThreadToken(windows.CurrentThread(), windows.TOKEN_QUERY, true, &token); fault == nil {
			var n uint32
			fault = windows.GetTokenInformation(token, windows.TokenImpersonationLevel,
				(*byte)(unsafe.Pointer(&level)), 4, &n)
			token.Close()
		}
		err = f()
		if windows.RevertToSelf() == nil {
			runtime.UnlockOSThread()
		}
	}()
	<-done
	if fault != nil {
		t.Fatal(fault)
	}
	return level, err
}

func openOwnProgram() error {
	name, _ := windows.UTF16PtrFromString(os.Args[0])
	h, err := windows.CreateFile(name, windows.GENERIC_READ, winfile.ShareAll, nil, windows.OPEN_EXISTING, 0, 0)
	if err == nil {
		windows.CloseHandle(h)
	}
	return err
}

// A name that another process has taken before cannot be listened to, whether that process only
// claims the name or serves it.
func TestListenRefusesASquattedName(t *testing.T) {
	address := abstractName(t)
	id := abstractID(user(), address, stream)
	attributes, err := securityAttributes("")
	if err != nil {
		t.Fatal(err)
	}
	claim, err := newSentinel(id, attributes)
	if err != nil {
		t.Fatal(err)
	}
	if l, err := system.Listen(address, stream, pipe.Options{}); err != syscall.EADDRINUSE {
		if err == nil {
			l.Close()
		}
		t.Errorf("a name that is claimed: %v, want EADDRINUSE", err)
	}
	windows.CloseHandle(claim)
	listen(t, address) // it is free now
}

// foreignPipe makes an instance of pipe id that belongs to Administrators. To this user it looks as
// another user's instance would.
func foreignPipe(t *testing.T, id pipeID) {
	t.Helper()
	attributes, err := securityAttributes("O:BAD:(A;;GA;;;WD)")
	if err != nil {
		t.Fatal(err)
	}
	squatter, err := newInstance(id, attributes, true)
	if err != nil {
		t.Skipf("skipped: this user may not make what belongs to Administrators: %v", err)
	}
	t.Cleanup(squatter.close)
}

func TestListenRefusesTheInstanceOfAStranger(t *testing.T) {
	if onWine() {
		t.Skip("skipped on Wine: FILE_FLAG_FIRST_PIPE_INSTANCE is not enforced")
	}
	address := abstractName(t)
	foreignPipe(t, abstractID(user(), address, stream))
	l, err := system.Listen(address, stream, pipe.Options{})
	if err == nil {
		l.Close()
	}
	if err != syscall.EADDRINUSE {
		t.Errorf("Listen: %v, want EADDRINUSE", err)
	}
}

// The user's socket file leads to a pipe that is not the user's: another process has taken the
// pipe's name between two listeners.
func TestDialRefusesTheInstanceOfAStranger(t *testing.T) {
	id := pipeID{1, 2, 3, byte(os.Getpid()), byte(os.Getpid() >> 8)}
	foreignPipe(t, id)
	attributes, err := securityAttributes("")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(testenv.TempDir(t), "socket")
	if _, err := createSocketFile(path, sockfile{stream, id}, attributes); err != nil {
		t.Fatal(err)
	}
	p, err := system.Dial(t.Context(), path, "", stream)
	if err == nil {
		p.Close()
	}
	if err != syscall.EACCES {
		t.Errorf("Dial: %v, want EACCES", err)
	}
}

// Pipes are for this machine only, also by way of one of its names in the network.
func TestRemoteClientsAreTurnedAway(t *testing.T) {
	name, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	l := listen(t, abstractName(t))
	public := listen(t, publicName())
	tried := 0
	for _, host := range []string{"localhost", "127.0.0.1", name} {
		if !reachable(t, host) {
			continue
		}
		tried++
		for _, pipe := range []string{l.private.pipe, public.private.pipe, public.public.pipe} {
			if h, err := openRemote(host, pipe); err == nil {
				windows.CloseHandle(h)
				t.Errorf("a client came to %s by way of %s", pipe, host)
			}
		}
	}
	if tried == 0 {
		t.Skip("skipped: no pipe of this machine can be opened by way of the network, as on Wine")
	}
}

func openRemote(host, pipe string) (windows.Handle, error) {
	name, err := windows.UTF16PtrFromString(`\\` + host + `\PIPE\` + strings.TrimPrefix(pipe, device))
	if err != nil {
		return 0, err
	}
	return windows.CreateFile(name, clientAccess, 0, nil, windows.OPEN_EXISTING,
		windows.SECURITY_SQOS_PRESENT|windows.SECURITY_IDENTIFICATION, 0)
}

// reachable reports whether a pipe that does not turn remote clients away can be opened by way of
// host.
func reachable(t *testing.T, host string) bool {
	t.Helper()
	id := pipeID{4, 5, 6, byte(os.Getpid()), byte(os.Getpid() >> 8)}
	name, _ := windows.UTF16PtrFromString(id.pipeName())
	attributes, err := securityAttributes("")
	if err != nil {
		t.Fatal(err)
	}
	server, err := windows.CreateNamedPipe(name, windows.PIPE_ACCESS_DUPLEX,
		windows.PIPE_TYPE_MESSAGE, 1, quota, quota, 0, attributes)
	if err != nil {
		t.Fatal(err)
	}
	defer windows.CloseHandle(server)
	h, err := openRemote(host, id.pipeName())
	if err == nil {
		windows.CloseHandle(h)
	}
	return err == nil
}

// A client asks the system which process serves it, and a server which one it serves.
func TestSystemNamesBothProcesses(t *testing.T) {
	s := startSecond(t)
	onHandle(t, s.pipe, func(h windows.Handle) {
		var server, client uint32
		err := errors.Join(windows.GetNamedPipeServerProcessId(h, &server),
			windows.GetNamedPipeClientProcessId(h, &client))
		if err != nil || int(server) != os.Getpid() || int(client) != s.cmd.Process.Pid {
			t.Errorf("server %d, client %d, %v; want %d and %d", server, client, err, os.Getpid(), s.cmd.Process.Pid)
		}
	})
}
