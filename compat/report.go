package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

const head = `# Compatibility

Existing programs change their imports of net, syscall and golang.org/x/sys/unix to those below afunix/dropin, and
nothing else. Here that was done to published modules, and their own tests were run in four ways: as they are, with
dropin over the kernel's sockets, with dropin over the pipe transport on Linux (build tag afunix_pipe), and with dropin
on Windows, by Wine. ` + "`make compat`" + ` does all of it, and writes this file. The modules come from the module proxy at
exactly these versions. None of their code is in this repository.

A figure is the number of tests that passed, of those that ran. Subtests are not counted. Some suites also have tests that
do not touch Unix sockets, and those tests are counted, too. The second table says what a suite does with Unix sockets.

`

const unchanged = `
Nothing is changed but the imports. For Windows the build constraints of the files that the table names are changed, too,
because they say that Unix sockets need Unix.
`

// differences is a summary of what the documentation of the packages says.
const differences = `
## What a program may notice

Over the kernel's sockets a program notices nothing: the names are the originals. Over the pipe transport, that is on
Windows, and on Linux with the tag, it may notice this:

| what differs | why |
|---|---|
| an end that is sent moves: the sender's copies behave as closed | an end of a pipe belongs to one process |
| the int of an end (Socketpair, File().Fd()) cannot be read by way of os.File; what is written that way is sent | what was received is in a queue of this process, with boundaries and descriptors. No system tells that a program waits to read a descriptor. Data that was put there in advance would be lost to the connection's other readers |
| the int of an end is no connection to a child process that inherits it (ExtraFiles, standard input) | queue, credit and identity of an end are in this process. Use AttachTo and Inherited of package afunix, or send the end. os/exec has no ExtraFiles on Windows in any case |
| poll(2), select(2) and epoll(7) say of the int of an end that it can always be written to, and never read | to the system the int is a pipe. Wait in calls that wait, with deadlines |
| copies of a connection share their deadlines | there is one connection below them |
| a call that is not to wait (MSG_DONTWAIT, O_NONBLOCK) says EAGAIN after five milliseconds, after 25 at most | goroutines take out of the pipe what is in it, perhaps those of another process |
| MSG_OOB is EOPNOTSUPP | pipes have no urgent data; MSG_PEEK, MSG_DONTWAIT, MSG_WAITALL, MSG_TRUNC and MSG_CMSG_CLOEXEC work |
| a connected datagram socket, and an end of a pair, cannot send to another name: EISCONN | such a socket has a connection to its peer, and nothing else. Use a socket that ListenUnixgram makes |
| WriteMsgUnix on a stream writes everything, where package net writes what there is room for | the message goes on in further packets, as a Write does |
| on Windows a received TCP or UDP socket is no *net.TCPConn or *net.UDPConn | Go's poller cannot serve a received socket. The socket is a net.Conn with deadlines and the methods of *net.TCPConn for its options: ask for an interface with those |
| a Control function of Dialer or ListenConfig is refused | there is no descriptor yet that the function could be shown |
| Dialer, ListenConfig and Buffers are types of their own | methods of package net's types cannot be replaced |
| a process sends no credentials but its own, not even root: EPERM | the receiver is told what the system knows |

The documentation of packages afunix/dropin/net and afunix/dropin/syscall says more.
`

var columns = []string{native, kernel, pipe, wine}

// report writes the document, and returns what is not as subjects say.
func report(w io.Writer, results []result, withWine bool) (surprises []string) {
	fmt.Fprint(w, head)
	fmt.Fprintln(w, "| module | version | native | dropin, Linux kernel | dropin, Linux pipe | dropin, Windows (Wine) |")
	fmt.Fprintln(w, "|---|---|---|---|---|---|")
	for _, r := range results {
		fmt.Fprintf(w, "| %s | %s |", r.module, r.version)
		for _, c := range columns {
			fmt.Fprintf(w, " %s |", r.figure(c))
		}
		fmt.Fprintln(w)
	}
	if !withWine {
		fmt.Fprintln(w, "\nThere was no Wine where this was written.")
	}
	fmt.Fprintln(w, "\n| module | what its tests do with Unix sockets | changed for Windows |")
	fmt.Fprintln(w, "|---|---|---|")
	for _, r := range results {
		fmt.Fprintf(w, "| %s | %s | %s |\n", r.module, r.exercises, r.changes())
	}
	fmt.Fprint(w, unchanged+differences+"\n## Failures\n\n")
	for _, r := range results {
		surprises = append(surprises, r.failures(w)...)
	}
	return surprises
}

// figure is what a table says of one way.
func (r result) figure(way string) string {
	o, ok := r.outcomes[way]
	switch {
	case !ok && way == wine && r.notOnWindows != "":
		return "–"
	case !ok:
		return "not run"
	}
	passed, failed := len(o.with("pass")), len(o.with("fail"))
	return fmt.Sprintf("%d/%d", passed, passed+failed)
}

func (r result) changes() string {
	if r.notOnWindows != "" {
		return "not run: " + r.notOnWindows
	}
	var parts []string
	if len(r.onWindows) > 0 {
		parts = append(parts, "only "+strings.Join(r.onWindows, ", ")+" ("+r.whyOnly+")")
	}
	if len(r.lifted) > 0 {
		parts = append(parts, "constraints of "+strings.Join(r.lifted, ", "))
	}
	if len(r.dropped) > 0 {
		parts = append(parts, "without "+strings.Join(r.dropped, ", "))
	}
	if r.why != "" {
		parts = append(parts, r.why)
	}
	if parts == nil {
		return "nothing"
	}
	return strings.Join(parts, "; ")
}

func (r result) byChance(test string) bool { return r.chance[test] != "" }

// failures writes why tests failed, and returns those for which there is no cause, and causes
// without a failure.
func (r result) failures(w io.Writer) (surprises []string) {
	for _, test := range slices.Sorted(maps.Keys(r.chance)) {
		fmt.Fprintf(w, "- %s, by chance and natively, too: %s. %s\n", r.module, test, r.chance[test])
	}
	natively := slices.DeleteFunc(r.outcomes[native].with("fail"), r.byChance)
	if len(natively) > 0 {
		fmt.Fprintf(w, "- %s, natively and therefore everywhere: %s. %s\n", r.module,
			strings.Join(natively, ", "), r.nativeCause)
	}
	where := make(map[string][]string) // by test
	for _, way := range columns[1:] {
		for _, test := range r.outcomes[way].with("fail") {
			if !slices.Contains(natively, test) && !r.byChance(test) {
				where[test] = append(where[test], way)
			}
		}
	}
	byCause := make(map[string][]string)
	for _, test := range slices.Sorted(maps.Keys(where)) {
		c := r.causes[test]
		for _, way := range where[test] {
			if !slices.Contains(c.ways, way) {
				surprises = append(surprises,
					fmt.Sprintf("%s: %s fails on %s, and nobody knows why", r.module, test, way))
			}
		}
		key := c.text + "\x00" + strings.Join(where[test], ", ")
		byCause[key] = append(byCause[key], test)
	}
	for _, key := range slices.Sorted(maps.Keys(byCause)) {
		text, ways, _ := strings.Cut(key, "\x00")
		if text == "" {
			text = "**Not known.**"
		}
		fmt.Fprintf(w, "- %s, %s: %s. %s\n", r.module, ways, strings.Join(byCause[key], ", "), text)
	}
	for test, c := range r.causes {
		for _, way := range c.ways {
			if _, ran := r.outcomes[way]; ran && r.outcomes[way][test] == "pass" {
				surprises = append(surprises,
					fmt.Sprintf("%s: %s passes on %s, but has a cause not to", r.module, test, way))
			}
		}
	}
	return surprises
}
