package main

import (
	"io"
	"regexp"
	"strings"
)

// calls are system calls, by what they are for.
type calls struct {
	writes, reads float64 // of sockets, that did something
	vain          float64 // of sockets, that failed with EAGAIN
	descriptors   float64 // that duplicate, look at, or close descriptors
	waits         float64 // of the scheduler, and of the poller
	other         float64
}

func (c calls) minus(d calls) calls {
	return calls{c.writes - d.writes, c.reads - d.reads, c.vain - d.vain,
		c.descriptors - d.descriptors, c.waits - d.waits, c.other - d.other}
}

func (c calls) over(n int) calls {
	by := float64(n)
	return calls{c.writes / by, c.reads / by, c.vain / by, c.descriptors / by, c.waits / by, c.other / by}
}

func (c calls) print(table io.Writer, workload, contender, end string) {
	row(table, "", workload, contender, end, number(c.writes), number(c.reads), number(c.vain),
		number(c.descriptors), number(c.waits), number(c.other))
}

// A traceReader counts the calls in what strace -f -y has written. A call that another thread
// interrupts has two lines:
//
//	1234 read(5<socket:[77]>,  <unfinished ...>
//	1234 <... read resumed>""..., 64) = 64
type traceReader struct {
	total      calls
	unfinished map[string]traced // by thread
}

// traced is a call as its first line shows it: its first argument may be a descriptor, and then
// what that refers to is known.
type traced struct{ name, object string }

func newTraceReader() *traceReader { return &traceReader{unfinished: map[string]traced{}} }

var (
	callLine    = regexp.MustCompile(`^(\d+) +(\w+)\((?:\d+<([^>]*)>)?`)
	resumedLine = regexp.MustCompile(`^(\d+) +<\.\.\. \w+ resumed>`)
)

func (r *traceReader) line(text string) {
	vain := strings.Contains(text, " = -1 EAGAIN")
	if m := callLine.FindStringSubmatch(text); m != nil {
		call := traced{m[2], m[3]}
		if strings.HasSuffix(text, "<unfinished ...>") {
			r.unfinished[m[1]] = call
			return
		}
		r.count(call, vain)
	} else if m := resumedLine.FindStringSubmatch(text); m != nil {
		r.count(r.unfinished[m[1]], vain)
		delete(r.unfinished, m[1])
	}
}

// purposes of calls, but for those that read and write.
var purposes = map[string]func(*calls) *float64{}

func init() {
	for _, name := range strings.Fields("dup dup2 dup3 fcntl fstat newfstatat statx readlinkat readlink pidfd_getfd " +
		"getsockopt close ioctl lseek") {
		purposes[name] = func(c *calls) *float64 { return &c.descriptors }
	}
	for _, name := range strings.Fields("futex epoll_wait epoll_pwait epoll_pwait2 poll ppoll nanosleep clock_nanosleep " +
		"sched_yield tgkill rt_sigreturn restart_syscall getpid gettid") {
		purposes[name] = func(c *calls) *float64 { return &c.waits }
	}
}

var (
	readers = map[string]bool{"read": true, "readv": true, "recvfrom": true, "recvmsg": true}
	writers = map[string]bool{"write": true, "writev": true, "sendto": true, "sendmsg": true}
)

func (r *traceReader) count(call traced, vain bool) {
	c := &r.total
	socket := strings.HasPrefix(call.object, "socket:") || strings.HasPrefix(call.object, "UNIX")
	purpose, known := purposes[call.name]
	switch {
	case (readers[call.name] || writers[call.name]) && socket && vain:
		c.vain++
	case readers[call.name] && socket:
		c.reads++
	case writers[call.name] && socket:
		c.writes++
	case readers[call.name] || writers[call.name]: // of the runtime's eventfd
		c.waits++
	case known:
		*purpose(c)++
	default:
		c.other++
	}
}
