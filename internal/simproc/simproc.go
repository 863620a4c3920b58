// Package simproc has processes that exist in memory only: their descriptor tables, and what one
// process can do to the table of another. Every descriptor is counted. Everything that a real
// system would punish is noted: a descriptor that is closed twice, or is closed as something that
// it is not, or a descriptor of the process's own that is closed on a peer's word. The package is
// for tests only.
package simproc

import (
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"syscall"

	"afunix/internal/descriptor"
	"afunix/internal/locks"
	"afunix/internal/pipe"
)

// An Op is one thing that is done with a descriptor, and can be made to fail: see Process.Inject.
type Op string

// The operations. Those on a table name the process whose table it is; the others the process that
// calls.
const (
	Kind   Op = "kind"
	Dup    Op = "dup"
	Pull   Op = "pull"
	Push   Op = "push"
	Export Op = "export"
	Import Op = "import"
)

// system is the lock of all processes. A descriptor that moves is in two tables.
var system locks.Mutex[locks.SimSystem]

// A File is what descriptors refer to. Its identity is its address.
type File struct {
	kind   descriptor.Kind
	refs   int // how many descriptors there are, in all processes
	object Object
}

// Object returns what OpenObject was given; nil for a file of Open.
func (f *File) Object() Object { return f.object }

// An Object is what is behind a file that does something: the end of a pipe.
type Object interface {
	// Released is called when the last descriptor has been closed, by whatever process or its end.
	// It must not call this package.
	Released()
}

// A Process is a descriptor table with a name. It satisfies descriptor.Table.
type Process struct {
	name     string
	open     map[uint64]*File
	awaiting map[uint64]*File // exported to this process, and not imported: they count, but are nobody's
	next     uint64
	lowest   uint64 // below it no value is free, where values are used again
	limit    int
	dead     bool
	sockets  bool // have a call of their own to be closed by, as on Windows
	reuses   bool
	inject   func(Op) error
	faults   []string
}

// New returns a process that has nothing open and room for any number of descriptors.
func New(name string) *Process {
	return &Process{name: name, open: make(map[uint64]*File), awaiting: make(map[uint64]*File), next: 0x100, lowest: 0x104, limit: 1 << 30}
}

// Open opens a new file of kind k.
func (p *Process) Open(k descriptor.Kind) uintptr {
	system.Lock()
	defer system.Unlock()
	v, err := p.install(&File{kind: k})
	if err != nil {
		panic(err) // the test has no room for what it works with
	}
	return uintptr(v)
}

// OpenObject opens a new file of kind k with o behind it. The errors are those of a process that is
// dead or has no room; o is not released then.
func (p *Process) OpenObject(k descriptor.Kind, o Object) (uintptr, error) {
	system.Lock()
	defer system.Unlock()
	v, err := p.install(&File{kind: k, object: o})
	return uintptr(v), err
}

// install gives f a value. The caller holds system.
func (p *Process) install(f *File) (uint64, error) {
	if p.dead {
		return 0, syscall.ESRCH
	}
	if p.count() >= p.limit {
		return 0, syscall.EMFILE
	}
	v := p.free()
	p.open[v] = f
	f.refs++
	return v, nil
}

// free returns a value that is free: a multiple of four, as a handle is.
func (p *Process) free() uint64 {
	if !p.reuses {
		p.next += 4
		return p.next
	}
	for ; p.open[p.lowest] != nil || p.awaiting[p.lowest] != nil; p.lowest += 4 {
	}
	return p.lowest
}

// close closes v, which refers to f. The caller holds system.
func (p *Process) close(v uint64, f *File) {
	delete(p.open, v)
	p.lowest = min(p.lowest, v)
	f.drop()
}

// Reuse makes the process give the lowest value that is free, as a system does. Without it no value
// is given twice, so that whatever is done with one that was closed shows.
func (p *Process) Reuse() {
	system.Lock()
	defer system.Unlock()
	p.reuses = true
}

// drop closes a descriptor for f. The caller holds system.
func (f *File) drop() {
	if f.refs--; f.refs == 0 && f.object != nil {
		f.object.Released()
	}
}

func (p *Process) count() int { return len(p.open) + len(p.awaiting) }

// Len returns how many descriptors are open, those included that were exported to this process and
// not imported.
func (p *Process) Len() int {
	system.Lock()
	defer system.Unlock()
	return p.count()
}

// Values returns the descriptors that are open, ascending.
func (p *Process) Values() []uint64 {
	system.Lock()
	defer system.Unlock()
	return slices.Sorted(maps.Keys(p.open))
}

// Refers returns what v refers to, or nil.
func (p *Process) Refers(v uintptr) *File {
	system.Lock()
	defer system.Unlock()
	return p.open[uint64(v)]
}

// Limit bounds how many descriptors can be open from now on: RLIMIT_NOFILE.
func (p *Process) Limit(n int) {
	system.Lock()
	defer system.Unlock()
	p.limit = n
}

// Inject makes operations fail for which f returns an error. It is called with every operation,
// before it is done.
func (p *Process) Inject(f func(Op) error) {
	system.Lock()
	defer system.Unlock()
	p.inject = f
}

// Kill ends the process: its descriptors are closed, and every attempt to reach it is ESRCH.
func (p *Process) Kill() {
	system.Lock()
	defer system.Unlock()
	p.dead = true
	for _, table := range []map[uint64]*File{p.open, p.awaiting} {
		for _, f := range table {
			f.drop()
		}
	}
	clear(p.open)
	clear(p.awaiting)
}

// Faults returns what a real system would have punished.
func (p *Process) Faults() []string {
	system.Lock()
	defer system.Unlock()
	return slices.Clone(p.faults)
}

func (p *Process) fault(format string, args ...any) {
	p.faults = append(p.faults, p.name+": "+fmt.Sprintf(format, args...))
}

func (p *Process) try(op Op) error {
	if p.inject != nil {
		return p.inject(op)
	}
	return nil
}

// Kind tells what v is: see descriptor.Table.
func (p *Process) Kind(v uintptr) (descriptor.Kind, error) {
	system.Lock()
	defer system.Unlock()
	f := p.open[uint64(v)]
	if f == nil {
		return 0, syscall.EBADF
	}
	return f.kind, p.try(Kind)
}

// Kinds tells what each of asked is: see descriptor.Table.
func (p *Process) Kinds(asked []descriptor.Asked) (int, error) {
	return descriptor.EachKind(p, asked)
}

// Matches reports whether v is of kind k: see descriptor.Table.
func (p *Process) Matches(v uintptr, k descriptor.Kind) (bool, error) {
	got, err := p.Kind(v)
	return err == nil && got == k, err
}

// Dup returns a new descriptor for what v refers to: see descriptor.Table.
func (p *Process) Dup(v uintptr, _ descriptor.Kind) (uintptr, error) {
	system.Lock()
	defer system.Unlock()
	f := p.open[uint64(v)]
	if f == nil {
		return 0, syscall.EBADF
	}
	if err := p.try(Dup); err != nil {
		return 0, err
	}
	d, err := p.install(f)
	return uintptr(d), err
}

// Close closes v: see descriptor.Table. Closing what is not open is a fault, and so is closing as a
// socket what is none (where sockets are apart: closesocket fails, and leaves it open).
func (p *Process) Close(v uintptr, k descriptor.Kind) error {
	system.Lock()
	defer system.Unlock()
	f := p.open[uint64(v)]
	switch {
	case p.dead:
		return nil
	case f == nil:
		p.fault("closed %#x, which is not open", v)
		return syscall.EBADF
	case p.sockets && k.Socket() && !f.kind.Socket():
		p.fault("closed %#x, which is of kind %d, as a socket", v, f.kind)
		return syscall.EBADF
	}
	p.close(uint64(v), f)
	return nil
}

// A View is what one process can do to another. It satisfies pipe.Process.
type View struct {
	own, peer *Process
	can       pipe.Ability
	sockets   bool
}

// View returns what p can do to peer. With sockets, those go by export and import, as on Windows.
func (p *Process) View(peer *Process, can pipe.Ability, sockets bool) *View {
	system.Lock()
	defer system.Unlock()
	p.sockets = p.sockets || sockets
	return &View{own: p, peer: peer, can: can, sockets: sockets}
}

// allowed says whether an operation can be done that needs an ability. The caller holds system.
func (v *View) allowed(op Op, needs pipe.Ability) error {
	switch {
	case v.peer.dead:
		return syscall.ESRCH
	case v.can&needs != needs:
		return syscall.EPERM
	}
	return v.own.try(op)
}

// Pull duplicates theirs into this process.
func (v *View) Pull(theirs uint64) (uintptr, error) {
	system.Lock()
	defer system.Unlock()
	if err := v.allowed(Pull, pipe.CanPull); err != nil {
		return 0, err
	}
	if int64(theirs) <= 0 || theirs&3 != 0 {
		return 0, syscall.EBADF // a pseudo-handle, or no handle
	}
	f := v.peer.open[theirs]
	if f == nil {
		return 0, syscall.EBADF
	}
	d, err := v.own.install(f)
	return uintptr(d), err
}

// Push duplicates ours into the other process.
func (v *View) Push(ours uintptr) (uint64, error) {
	system.Lock()
	defer system.Unlock()
	if err := v.allowed(Push, pipe.CanPush); err != nil {
		return 0, err
	}
	f := v.own.open[uint64(ours)]
	if f == nil {
		return 0, syscall.EBADF
	}
	return v.peer.install(f)
}

// TakeBack closes what Push returned.
func (v *View) TakeBack(theirs uint64) error {
	system.Lock()
	defer system.Unlock()
	if v.peer.dead || v.own.dead {
		return syscall.ESRCH
	}
	f := v.peer.open[theirs]
	if f == nil {
		v.own.fault("took back %#x, which is not open", theirs)
		return syscall.EBADF
	}
	v.peer.close(theirs, f)
	return nil
}

// ExportsSockets reports whether sockets go by ExportSocket and ImportSocket.
func (v *View) ExportsSockets() bool { return v.sockets }

// ExportSocket puts a duplicate into the other process at once, as WSADuplicateSocket does, where
// it stays until it is imported. The description has the length of what Windows needs.
func (v *View) ExportSocket(ours uintptr) ([]byte, error) {
	system.Lock()
	defer system.Unlock()
	if err := v.allowed(Export, pipe.CanPush); err != nil {
		return nil, err
	}
	f := v.own.open[uint64(ours)]
	if f == nil || !f.kind.Socket() {
		return nil, syscall.ENOTSOCK
	}
	theirs, err := v.peer.install(f)
	if err != nil {
		return nil, err
	}
	delete(v.peer.open, theirs)
	v.peer.awaiting[theirs] = f
	d := make([]byte, pipe.MaxExtra)
	binary.LittleEndian.PutUint64(d, theirs)
	binary.LittleEndian.PutUint64(d[8:], uint64(ours))
	return d, nil
}

// ImportSocket makes a descriptor of what the other side exported. The original must be open still.
func (v *View) ImportSocket(description []byte) (uintptr, error) {
	system.Lock()
	defer system.Unlock()
	if err := v.allowed(Import, 0); err != nil {
		return 0, err
	}
	if len(description) < 16 {
		return 0, syscall.EINVAL
	}
	d, original := binary.LittleEndian.Uint64(description), binary.LittleEndian.Uint64(description[8:])
	f := v.own.awaiting[d]
	if f == nil {
		return 0, syscall.EINVAL
	}
	if v.peer.open[original] != f {
		v.peer.fault("closed socket %#x before it was imported", original)
		return 0, syscall.EINVAL
	}
	delete(v.own.awaiting, d)
	v.own.open[d] = f
	return uintptr(d), nil
}
