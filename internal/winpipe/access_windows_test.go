package winpipe

import (
	"errors"
	"io/fs"
	"maps"
	"net"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/windows"

	"afunix/internal/pipe"
	"afunix/internal/testenv"
)

const usersSID = "S-1-5-32-545" // BUILTIN\Users

// A Mode says who may connect: to the pipe, and to whom the socket file shows where that is.
func TestModeIsAnAccessList(t *testing.T) {
	me := "D:P(A;;GA;;;" + user() + ")(A;;GA;;;SY)"
	for _, test := range []struct {
		mode       fs.FileMode
		group      string
		pipe, file string
	}{
		{0, "", "", ""},
		{0o600, "", me, me},
		{0o700, "", me, me},
		{0o644, "", me, me}, // to connect takes the permission to write
		{0o666, "", me + "(A;;0x12019b;;;WD)", me + "(A;;FR;;;WD)"},
		{0o622, "", me + "(A;;0x12019b;;;WD)", me + "(A;;FR;;;WD)"},
		{0o660, usersSID, me + "(A;;0x12019b;;;" + usersSID + ")", me + "(A;;FR;;;" + usersSID + ")"},
		{0o666, usersSID, me + "(A;;0x12019b;;;" + usersSID + ")(A;;0x12019b;;;WD)", me + "(A;;FR;;;" + usersSID + ")(A;;FR;;;WD)"},
		{0o606, usersSID, me + "(D;;GA;;;" + usersSID + ")(A;;0x12019b;;;WD)", me + "(D;;GA;;;" + usersSID + ")(A;;FR;;;WD)"},
		{0o600, usersSID, me, me},
	} {
		got, err := accessOf(pipe.Options{Mode: test.mode, Group: test.group}, false)
		if err != nil || got != (access{test.pipe, test.file}) {
			t.Errorf("%#o, %s: %+v, %v", test.mode, test.group, got, err)
		}
		for _, sddl := range []string{got.pipe, got.file} {
			if _, err := securityAttributes(sddl); err != nil {
				t.Errorf("%s: %v", sddl, err)
			}
		}
	}
}

// What an access list cannot say is an error, and nothing is ignored.
func TestModesThatAreNoAccessList(t *testing.T) {
	for why, o := range map[string]pipe.Options{
		"does not let the owner in":   {Mode: 0o066},
		"Group has to say which":      {Mode: 0o660},
		"with a Mode only":            {Group: usersSID},
		"there is no group":           {Mode: 0o660, Group: "no such group, surely"},
		"is no group":                 {Mode: 0o660, Group: user()},
		"there is no user":            {Owner: "no such user, surely"},
		"either a security descrip":   {Mode: 0o600, SecurityDescriptor: "D:(A;;GA;;;WD)"},
		"is not the user of this pro": {Owner: systemSID},
	} {
		_, err := accessOf(o, false)
		if !errors.Is(err, syscall.EINVAL) && !(o.Owner == systemSID && errors.Is(err, errors.ErrUnsupported)) ||
			err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("%+v: %v; want that it %s", o, err, why)
		}
	}
	if _, err := accessOf(pipe.Options{Mode: 0o666}, true); !errors.Is(err, syscall.EINVAL) {
		t.Errorf("an abstract name for everybody: %v", err)
	}
	if _, err := accessOf(pipe.Options{Mode: 0o600, Owner: user()}, true); err != nil {
		t.Errorf("an abstract name for its owner: %v", err)
	}
}

// A group may be given by its name.
func TestGroupByName(t *testing.T) {
	sid, err := windows.StringToSid(usersSID)
	if err != nil {
		t.Fatal(err)
	}
	name, _, _, err := sid.LookupAccount("")
	if err != nil {
		t.Skip("the system has no name for it: ", err)
	}
	if got, err := groupSID(name); got != usersSID || err != nil {
		t.Errorf("%s is %s, %v", name, got, err)
	}
}

// The pipe is open to those whom the mode lets in, and they may read the socket file, but not write
// to it: else they could lead others elsewhere.
func TestSocketFileIsNotWritableForThoseWhoMayConnect(t *testing.T) {
	path := filepath.Join(testenv.TempDir(t), "s")
	l, err := system.Listen(path, stream, pipe.Options{Mode: 0o666})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := l.Close(); err != nil && err != net.ErrClosed {
			t.Error(err)
		}
	}()
	descriptor, err := windows.GetNamedSecurityInfo(path, windows.SE_FILE_OBJECT, windows.OWNER_SECURITY_INFORMATION|windows.DACL_SECURITY_INFORMATION)
	if err != nil {
		t.Fatal(err)
	}
	const write = windows.FILE_WRITE_DATA | windows.FILE_APPEND_DATA | windows.DELETE | windows.WRITE_DAC | windows.WRITE_OWNER
	g := guardOf(t, descriptor)
	if rights := g.allowed[everyoneSID]; rights&windows.FILE_READ_DATA == 0 || rights&write != 0 {
		t.Errorf("everybody has %#x on the socket file (of all: %v)", rights, maps.Keys(g.allowed))
	}
	if mode := guardOf(t, l.(*Listener).private.attributes.SecurityDescriptor).allowed[everyoneSID]; mode != clientAccess {
		t.Errorf("everybody has %#x on the pipe", mode)
	}
	p := dial(t, path)
	q := accept(t, l)
	p.Close()
	q.Close()
}
