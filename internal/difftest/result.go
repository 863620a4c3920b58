package difftest

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"net"
	"os"
	"reflect"
	"slices"
	"strings"
	"syscall"

	"afunix"
)

// A Result is everything that the caller of an operation can see.
type Result struct {
	Skipped   string // why the operation was not run
	Err       Failure
	N         int
	Data      string // the first bytes and a checksum of all
	Truncated bool
	Rights    []string // the descriptors that came, by their identity
	Creds     string
	Names     []string
	Late      []Failure // of Expire: of the read and of the write
	Detail    string
}

// A Failure is an error without its text: what it is, and how it is wrapped.
type Failure struct {
	What   string // the errno or sentinel; "" for no error
	Index  int    // 1 + that of the descriptor to blame
	Shape  string // the types around it
	Op     string
	Net    string
	Source string
	Addr   string
	Call   string
}

// String shows the fields that are set.
func (r Result) String() string { return "{" + strings.Join(set(reflect.ValueOf(r)), " ") + "}" }

func set(v reflect.Value) (fields []string) {
	for i := range v.NumField() {
		f, name := v.Field(i), v.Type().Field(i).Name
		switch {
		case f.IsZero():
		case f.Kind() == reflect.Struct:
			fields = append(fields, fmt.Sprintf("%s:{%s}", name, strings.Join(set(f), " ")))
		default:
			fields = append(fields, fmt.Sprintf("%s:%v", name, f))
		}
	}
	return fields
}

// waited is what an operation says that would have had to wait.
const waited = "deadline"

func (r Result) waited() bool { return r.Err.What == waited }

var sentinels = []struct {
	err  error
	name string
}{
	{io.EOF, "EOF"},
	{net.ErrClosed, "closed"},
	{os.ErrDeadlineExceeded, waited},
	{afunix.ErrRightsTruncated, "rights truncated"},
	{afunix.ErrNotSendable, "not sendable"},
	{net.ErrWriteToConnected, "write to connected"},
}

var errnos = map[syscall.Errno]string{
	syscall.EACCES: "EACCES", syscall.EADDRINUSE: "EADDRINUSE", syscall.EAFNOSUPPORT: "EAFNOSUPPORT", syscall.EAGAIN: "EAGAIN",
	syscall.EBADF: "EBADF", syscall.ECONNREFUSED: "ECONNREFUSED", syscall.ECONNRESET: "ECONNRESET", syscall.EEXIST: "EEXIST",
	syscall.EINVAL: "EINVAL", syscall.EISCONN: "EISCONN", syscall.EISDIR: "EISDIR", syscall.ELOOP: "ELOOP", syscall.EMFILE: "EMFILE",
	syscall.EMSGSIZE: "EMSGSIZE", syscall.ENAMETOOLONG: "ENAMETOOLONG", syscall.ENOBUFS: "ENOBUFS", syscall.ENOENT: "ENOENT",
	syscall.ENOTCONN: "ENOTCONN", syscall.ENOTDIR: "ENOTDIR", syscall.EOPNOTSUPP: "EOPNOTSUPP", syscall.EPERM: "EPERM",
	syscall.EPIPE: "EPIPE", syscall.EPROTOTYPE: "EPROTOTYPE", syscall.ETOOMANYREFS: "ETOOMANYREFS", syscall.ENXIO: "ENXIO",
	syscall.EDESTADDRREQ: "EDESTADDRREQ",
}

// failure says what err is. The names in it are shown by w.
func (w *world) failure(err error) (f Failure) {
	if err == nil {
		return f
	}
	f.What = what(err)
	var op *net.OpError
	if errors.As(err, &op) {
		f.Op, f.Net, f.Source, f.Addr = op.Op, op.Net, w.shown(op.Source), w.shown(op.Addr)
		f.Shape = "OpError"
	}
	var blamed *afunix.RightsError
	if errors.As(err, &blamed) {
		f.Index = blamed.Index + 1
	}
	var call *os.SyscallError
	if errors.As(err, &call) {
		f.Shape += " SyscallError"
		f.Call = call.Syscall
	}
	return f
}

func what(err error) string {
	for _, s := range sentinels {
		if errors.Is(err, s.err) {
			return s.name
		}
	}
	var errno syscall.Errno
	if errors.As(err, &errno) {
		if name, ok := errnos[errno]; ok {
			return name
		}
	}
	if errors.Is(err, errors.ErrUnsupported) {
		return "unsupported"
	}
	var addr *net.AddrError
	if errors.As(err, &addr) {
		return "address error"
	}
	return fmt.Sprintf("other (%T)", err)
}

// payload is what operation i of a program writes: n bytes that tell it from every other.
func payload(i, n int) []byte {
	b := make([]byte, n)
	x := uint32(i+1) * 2654435761
	for j := range b {
		x = x*1664525 + 1013904223
		b[j] = byte(x >> 24)
	}
	return b
}

func digest(b []byte) string {
	if len(b) == 0 {
		return ""
	}
	return fmt.Sprintf("%x… %08x", b[:min(len(b), 4)], crc32.ChecksumIEEE(b))
}

// equal compares two results.
func equal(a, b Result) bool {
	return a.Skipped == b.Skipped && a.Err == b.Err && a.N == b.N && a.Data == b.Data && a.Truncated == b.Truncated &&
		slices.Equal(a.Rights, b.Rights) && a.Creds == b.Creds && slices.Equal(a.Names, b.Names) &&
		slices.Equal(a.Late, b.Late) && a.Detail == b.Detail
}
