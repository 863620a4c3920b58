package main

import (
	"io"
	"io/fs"
	"net"
	"os"
	"strconv"
	"strings"

	"afunix"
	"afunix/cmd/afunix/internal/show"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
)

// An arrival is one descriptor that was received.
type arrival struct {
	kind afunix.Kind
	name string      // as the system has it, "" if there is none to know
	info fs.FileInfo // of files; else nil
	file *os.File    // nil for sockets
	io.Closer
}

// takeAll takes all descriptors, which the caller closes with closeAll.
func takeAll(r afunix.Rights) []*arrival {
	arrivals := make([]*arrival, r.Len())
	for i := range arrivals {
		arrivals[i] = take(r, i)
	}
	r.Close() // of what could not be taken
	return arrivals
}

func closeAll(arrivals []*arrival) {
	for _, a := range arrivals {
		a.Close()
	}
}

// take takes descriptor i. If the descriptor cannot be taken as what it is, the arrival has only
// its kind. A socket of a family that package net does not know is such a descriptor.
func take(r afunix.Rights, i int) *arrival {
	a := &arrival{kind: r.Kind(i), Closer: io.NopCloser(nil)}
	switch a.kind {
	case afunix.KindStream, afunix.KindUnix, afunix.KindListener, afunix.KindUnixListener, afunix.KindDatagram:
		a.takeSocket(r, i)
	default:
		if f, err := r.File(i); err == nil {
			a.Closer, a.file = f, f
			a.inspect()
		}
	}
	return a
}

// open takes a socket to do I/O with, which it would not have to be looked at.
func (a *arrival) open(r afunix.Rights, i int) {
	switch a.kind {
	case afunix.KindStream, afunix.KindUnix:
		if c, err := r.Conn(i); err == nil {
			a.Closer, a.name = c, addresses(c.LocalAddr(), c.RemoteAddr())
		}
	case afunix.KindListener, afunix.KindUnixListener:
		if l, err := r.Listener(i); err == nil {
			a.Closer, a.name = l, addresses(l.Addr(), nil)
		}
	case afunix.KindDatagram:
		if c, err := r.PacketConn(i); err == nil {
			a.Closer, a.name = c, addresses(c.LocalAddr(), nil)
		}
	}
}

// inspect finds out what a file is called, and how long it is.
func (a *arrival) inspect() {
	if raw, err := a.file.SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) { a.name = nameOf(fd) }) // fails if the file is closed, which it is not
	}
	if info, err := a.file.Stat(); err == nil {
		a.info = info
	}
}

// size returns the size of what has one.
func (a *arrival) size() (int64, bool) {
	if a.info == nil || a.kind != afunix.KindFile && a.kind != afunix.KindMemory {
		return 0, false
	}
	return a.info.Size(), true
}

// addresses describes a socket.
func addresses(local, remote net.Addr) string {
	var parts []string
	for _, a := range []net.Addr{local, remote} {
		if a != nil {
			parts = append(parts, a.String())
		}
	}
	return strings.Join(parts, " -> ")
}

// arrivalTable shows a message's descriptors, and what became of each, if notes has that. It is ""
// for a message without any.
func arrivalTable(arrivals []*arrival, notes []string) string {
	if len(arrivals) == 0 {
		return ""
	}
	t := show.Table()
	t.SetColumnConfigs([]table.ColumnConfig{{Name: "size", Align: text.AlignRight}})
	header := table.Row{"#", "kind", "size", "name"}
	if notes != nil {
		header = append(header, "contents")
	}
	t.AppendHeader(header)
	for i, a := range arrivals {
		size := "-"
		if n, ok := a.size(); ok {
			size = strconv.FormatInt(n, 10)
		}
		row := table.Row{i, a.kind.String(), size, show.OrDash(show.Printable(a.name))}
		if notes != nil {
			row = append(row, notes[i])
		}
		t.AppendRow(row)
	}
	return t.Render() + "\n"
}
