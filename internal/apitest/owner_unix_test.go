//go:build unix

package apitest

import (
	"errors"
	"io/fs"
	"os"
	"strings"
	"syscall"
	"testing"

	"afunix"
)

// A socket file has the owner, the group and the mode that are asked for; by name or by number.
func TestOwnerAndGroupOfASocketFile(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can give a file away")
	}
	each(t, all, func(t *testing.T, tr afunix.Transport, network string) {
		for _, test := range []struct {
			lc       afunix.ListenConfig
			uid, gid uint32
			mode     fs.FileMode // 0: any
		}{
			{afunix.ListenConfig{Owner: "12345", Group: "54321", Mode: 0o660}, 12345, 54321, 0o660},
			{afunix.ListenConfig{Group: "54321", Mode: 0o620}, 0, 54321, 0o620},
			{afunix.ListenConfig{Owner: "12345"}, 12345, 0, 0},
			{afunix.ListenConfig{Owner: "root", Group: "0", Mode: 0o606}, 0, 0, 0o606},
		} {
			test.lc.Transport = tr
			path := socketPath(t)
			if err := keepOpen(t, test.lc, network, path); err != nil {
				t.Fatal(err)
			}
			info, err := os.Lstat(path)
			if err != nil {
				t.Fatal(err)
			}
			st := info.Sys().(*syscall.Stat_t)
			if st.Uid != test.uid || st.Gid != test.gid || test.mode != 0 && info.Mode().Perm() != test.mode {
				t.Errorf("%+v: %d, %d, %v", test.lc, st.Uid, st.Gid, info.Mode())
			}
		}
	})
}

// keepOpen listens until the test ends.
func keepOpen(t *testing.T, lc afunix.ListenConfig, network, address string) error {
	if network == "unixgram" {
		c, err := lc.ListenPacket(t.Context(), network, address)
		if err == nil {
			t.Cleanup(func() { c.Close() })
		}
		return err
	}
	l, err := lc.Listen(t.Context(), network, address)
	if err == nil {
		t.Cleanup(func() { l.Close() })
	}
	return err
}

// Owners and groups that there are not are an error, and leave nothing behind.
func TestOwnerAndGroupThatCannotBe(t *testing.T) {
	each(t, all, func(t *testing.T, tr afunix.Transport, network string) {
		for why, lc := range map[string]afunix.ListenConfig{
			"there is no user nobody-of-that-name":  {Owner: "nobody-of-that-name"},
			"there is no user -1":                   {Owner: "-1"},
			"there is no group nobody-of-that-name": {Group: "nobody-of-that-name"},
			"there is no group 4294967295":          {Group: "4294967295"},
		} {
			lc.Transport = tr
			path := socketPath(t)
			if err := keepOpen(t, lc, network, path); !errors.Is(err, syscall.EINVAL) || !strings.Contains(err.Error(), why) {
				t.Errorf("%v; want EINVAL, and %q", err, why)
			}
			if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("there is a file: %v", err)
			}
		}
		err := keepOpen(t, afunix.ListenConfig{Transport: tr, Group: "0"}, network, "@"+t.Name())
		if !errors.Is(err, syscall.EINVAL) && !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("the group of an abstract name: %v", err)
		}
		err = keepOpen(t, afunix.ListenConfig{Transport: tr, Mode: 0o600}, network, "@"+t.Name())
		if !errors.Is(err, syscall.EINVAL) && !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("a mode that keeps out nobody of an abstract name: %v", err)
		}
	})
}
