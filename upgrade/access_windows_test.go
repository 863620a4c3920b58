package upgrade_test

import (
	"strings"
	"testing"

	"golang.org/x/sys/windows"

	"afunix"
	"afunix/upgrade"
)

// With Authorize other users may come, about whom it is asked; without, nobody but the user may.
func TestAuthorizeOpensTheAddressToOtherUsers(t *testing.T) {
	const everybody = ";;;WD)"
	for _, test := range []struct {
		authorize func(afunix.Credentials) error
		open      bool
	}{
		{nil, false},
		{func(afunix.Credentials) error { return nil }, true},
	} {
		cfg := upgrade.Config{Address: address(t), Authorize: test.authorize}
		u := start(t, cfg)
		ready(t, u)
		descriptor, err := windows.GetNamedSecurityInfo(cfg.Address, windows.SE_FILE_OBJECT, windows.DACL_SECURITY_INFORMATION)
		if err != nil {
			t.Fatal(err)
		}
		if open := strings.Contains(descriptor.String(), everybody); open != test.open {
			t.Errorf("with Authorize %v: %s", test.authorize != nil, descriptor)
		}
		next := start(t, cfg)
		ready(t, next)
		expectDone(t, u)
	}
}
