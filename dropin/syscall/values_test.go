//go:build linux || windows

package syscall

import "testing"

// The values are those of Linux everywhere.
func TestValues(t *testing.T) {
	for _, test := range []struct{ got, want int }{
		{AF_UNIX, 1}, {AF_LOCAL, 1},
		{SOCK_STREAM, 1}, {SOCK_DGRAM, 2}, {SOCK_SEQPACKET, 5}, {SOCK_NONBLOCK, 0x800}, {SOCK_CLOEXEC, 0x80000},
		{SOL_SOCKET, 1}, {SCM_RIGHTS, 1}, {SCM_CREDENTIALS, 2}, {SO_PASSCRED, 16}, {SO_PEERCRED, 17},
		{MSG_OOB, 1}, {MSG_PEEK, 2}, {MSG_DONTROUTE, 4}, {MSG_CTRUNC, 8}, {MSG_TRUNC, 0x20}, {MSG_DONTWAIT, 0x40}, {MSG_EOR, 0x80},
		{MSG_WAITALL, 0x100}, {MSG_NOSIGNAL, 0x4000}, {MSG_MORE, 0x8000}, {MSG_WAITFORONE, 0x10000}, {MSG_CMSG_CLOEXEC, 0x40000000},
		{SHUT_RD, 0}, {SHUT_WR, 1}, {SHUT_RDWR, 2},
		{SizeofUcred, 12}, {SizeofLinger, 8}, {SO_DOMAIN, 39}, {SO_PROTOCOL, 38}, {CmsgLen(4) - CmsgLen(0), 4},
	} {
		if test.got != test.want {
			t.Errorf("%#x, want %#x", test.got, test.want)
		}
	}
}

func TestCredentials(t *testing.T) {
	want := Ucred{Pid: 1, Uid: 2, Gid: 3}
	msgs, err := ParseSocketControlMessage(UnixCredentials(&want))
	if err != nil || len(msgs) != 1 {
		t.Fatal(len(msgs), err)
	}
	if got, err := ParseUnixCredentials(&msgs[0]); err != nil || *got != want {
		t.Errorf("%+v, %v", got, err)
	}
	msgs[0].Header.Type = SCM_RIGHTS
	if _, err := ParseUnixCredentials(&msgs[0]); err != EINVAL {
		t.Error(err)
	}
}
