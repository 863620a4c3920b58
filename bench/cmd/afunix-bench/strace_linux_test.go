package main

import (
	"strings"
	"testing"
)

func TestCallsAreCountedByWhatTheyAreFor(t *testing.T) {
	const trace = `10 sendmsg(5<socket:[77]>, {msg_name=NULL, msg_namelen=0}, MSG_DONTWAIT|MSG_NOSIGNAL) = 80
11 read(6<socket:[78]>,  <unfinished ...>
10 futex(0xc000080148, FUTEX_WAKE_PRIVATE, 1) = 1
11 <... read resumed>""..., 64)          = 64
11 read(6<socket:[78]>, 0xc00001, 64) = -1 EAGAIN (Resource temporarily unavailable)
11 readv(6<socket:[78]>,  <unfinished ...>
11 <... readv resumed>[{iov_base=0xc0, iov_len=16}], 3) = -1 EAGAIN (Resource temporarily unavailable)
10 write(4<anon_inode:[eventfd]>, ""..., 8) = 8
10 epoll_pwait(3<anon_inode:[eventpoll]>, [], 128, 0, NULL, 0) = 0
10 pidfd_getfd(7<anon_inode:[pidfd]>, 9, 0) = 8</tmp/file>
10 fstat(8</tmp/file>, {st_mode=S_IFREG|0600, st_size=1, ...}) = 0
10 close(8</tmp/file>) = 0
10 mmap(NULL, 262144, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0) = 0x7f00
10 exit_group(0) = ?`
	r := newTraceReader()
	for line := range strings.SplitSeq(trace, "\n") {
		r.line(line)
	}
	want := calls{writes: 1, reads: 1, vain: 2, descriptors: 3, waits: 3, other: 2}
	if r.total != want {
		t.Errorf("counted %+v, want %+v", r.total, want)
	}
}
