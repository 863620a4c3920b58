//go:build unix

package permission

import (
	"errors"
	"io/fs"
	"syscall"
	"testing"
)

// Until a file has its owner and group, the mode lets in nobody in their place.
func TestInitialMode(t *testing.T) {
	for _, test := range []struct {
		mode         fs.FileMode
		owner, group string
		want         fs.FileMode
	}{
		{0o666, "", "", 0o666},
		{0, "", "", 0},
		{0, "", "1", 0},
		{0o660, "", "1", 0o600},
		{0o606, "1", "", 0o600},
		{0o020, "", "1", 0o400},
	} {
		p, err := Of(test.mode, test.owner, test.group, true)
		if err != nil || p.Initial() != test.want {
			t.Errorf("%#o %s:%s: %#o, %v; want %#o", test.mode, test.owner, test.group, p.Initial(), err, test.want)
		}
	}
}

func TestNameThatIsNoFileHasNoOwner(t *testing.T) {
	for _, names := range [][2]string{{"0", ""}, {"", "0"}} {
		if _, err := Of(0o600, names[0], names[1], false); !errors.Is(err, syscall.EINVAL) {
			t.Errorf("%q: %v, want EINVAL", names, err)
		}
	}
	if p, err := Of(0, "", "", false); err != nil || !p.None() {
		t.Errorf("nothing: %+v, %v", p, err)
	}
}

// A mode that keeps somebody out is an error where it would keep out nobody.
func TestNameThatIsNoFileIsForEverybody(t *testing.T) {
	for mode, ok := range map[fs.FileMode]bool{0: true, 0o666: true, 0o777: true, 0o222: true, 0o600: false, 0o660: false, 0o664: false} {
		if _, err := Of(mode, "", "", false); (err == nil) != ok || err != nil && !errors.Is(err, syscall.EINVAL) {
			t.Errorf("%#o: %v", mode, err)
		}
	}
}
