package plain

import (
	"net/netip"
	"syscall"
	"testing"
)

func TestOwnerOfTheOtherEnd(t *testing.T) {
	here, there := netip.MustParseAddrPort("127.0.0.1:50000"), netip.MustParseAddrPort("127.0.0.1:258")
	accepted := row{5, 0x0100007f, 0x0201, 0x0100007f, 0x50c3, 7}
	listener := row{listens, 0x0100007f, 0x0201, 0, 0, 8}
	anywhere := row{listens, 0, 0x0201, 0, 0, 9}
	nobody, another, mine := accepted, listener, row{5, 0x0100007f, 0x50c3, 0x0100007f, 0x0201, 10}
	nobody.owningPID, another.owningPID = 0, 11
	for name, test := range map[string]struct {
		rows []row
		pid  uint32
		err  error
	}{
		"accepted":       {[]row{anywhere, listener, mine, accepted}, 7, nil},
		"not accepted":   {[]row{anywhere, mine, nobody, listener, listener}, 8, nil},
		"two listen":     {[]row{listener, another}, 0, syscall.ESRCH},
		"nobody listens": {[]row{anywhere, mine, nobody}, 0, syscall.ESRCH},
	} {
		if pid, err := owner(test.rows, here, there); pid != test.pid || err != test.err {
			t.Errorf("%s: %d, %v; want %d, %v", name, pid, err, test.pid, test.err)
		}
	}
}
