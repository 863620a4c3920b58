package testenv

import (
	"bytes"
	"encoding/binary"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"
)

// A FUSE is a file system with one empty file, in which sockets can be made. While it is silent it
// does not answer the requests that come.
type FUSE struct {
	Dir    string      // where it is, with the file "file"
	Silent atomic.Bool // it answers nothing
	dev    int

	mu        sync.Mutex
	names     map[string]uint64 // the nodes of the files
	modes     map[uint64]uint32 // of the nodes
	unlinking func()            // called before a file is removed
	slow      sync.WaitGroup    // answers that may take a while
}

// Requests (include/uapi/linux/fuse.h).
const (
	fuseLookup  = 1
	fuseForget  = 2
	fuseGetattr = 3
	fuseSetattr = 4
	fuseMknod   = 8
	fuseUnlink  = 10
	fuseOpen    = 14
	fuseRelease = 18
	fuseInit    = 26
)

// Nodes.
const (
	fuseRoot = 1
	fuseFile = 2
)

// MountFUSE makes a file system of this process's own (fuse(4)), or skips the test.
func MountFUSE(t testing.TB) *FUSE {
	t.Helper()
	dev, err := unix.Open("/dev/fuse", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Skip("no file systems of users here: ", err)
	}
	fs := &FUSE{
		Dir:   TempDir(t),
		dev:   dev,
		names: map[string]uint64{"file": fuseFile},
		modes: map[uint64]uint32{fuseRoot: unix.S_IFDIR | 0o755, fuseFile: unix.S_IFREG | 0o644},
	}
	options := "fd=" + strconv.Itoa(dev) + ",rootmode=40000,user_id=0,group_id=0"
	if err := unix.Mount("hostile", fs.Dir, "fuse", 0, options); err != nil {
		unix.Close(dev)
		t.Skip("file systems cannot be mounted here: ", err)
	}
	served := make(chan struct{})
	go func() {
		defer close(served)
		fs.serve()
	}()
	t.Cleanup(func() {
		fs.Unmount()
		<-served
		fs.slow.Wait()
		unix.Close(dev)
	})
	return fs
}

// Unmount ends it, and whatever waits for an answer.
func (fs *FUSE) Unmount() { unix.Unmount(fs.Dir, unix.MNT_DETACH|unix.MNT_FORCE) }

// serve answers until the file system is not mounted any more.
func (fs *FUSE) serve() {
	request := make([]byte, 1<<17)
	for {
		n, err := unix.Read(fs.dev, request)
		if err == unix.EINTR || err == unix.ENOENT {
			continue
		}
		if err != nil || n < 40 {
			return
		}
		if fs.Silent.Load() {
			continue
		}
		r := parseRequest(request[:n])
		switch r.opcode {
		case fuseForget:
		case fuseUnlink:
			fs.slow.Go(func() { fs.reply(r) })
		default:
			fs.reply(r)
		}
	}
}

// A fuseRequest is a struct fuse_in_header, and what is behind it.
type fuseRequest struct {
	opcode       uint32
	unique, node uint64
	body         []byte
}

func parseRequest(b []byte) fuseRequest {
	order := binary.NativeEndian
	return fuseRequest{order.Uint32(b[4:]), order.Uint64(b[8:]), order.Uint64(b[16:]), bytes.Clone(b[40:])}
}

// name is the name that is at the end of the body.
func (r fuseRequest) name(at int) string {
	name, _, _ := bytes.Cut(r.body[at:], []byte{0})
	return string(name)
}

// reply answers a request. Nobody may be waiting for that any more.
func (fs *FUSE) reply(r fuseRequest) {
	errno, body := fs.answer(r)
	order := binary.NativeEndian
	reply := order.AppendUint32(nil, uint32(16+len(body)))
	reply = order.AppendUint32(reply, uint32(-int32(errno)))
	reply = order.AppendUint64(reply, r.unique)
	_, _ = unix.Write(fs.dev, append(reply, body...))
}

func (fs *FUSE) answer(r fuseRequest) (unix.Errno, []byte) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	switch r.opcode {
	case fuseInit:
		out := make([]byte, 64)
		binary.NativeEndian.PutUint32(out, 7)      // major
		binary.NativeEndian.PutUint32(out[4:], 31) // minor
		binary.NativeEndian.PutUint32(out[20:], 4096)
		return 0, out
	case fuseLookup:
		return fs.entry(r.name(0))
	case fuseMknod:
		node := uint64(len(fs.modes)) + 1
		name := r.name(16) // behind a struct fuse_mknod_in
		fs.names[name], fs.modes[node] = node, binary.NativeEndian.Uint32(r.body)
		return fs.entry(name)
	case fuseUnlink:
		return fs.unlink(r.name(0)), nil
	case fuseGetattr, fuseSetattr:
		return 0, append(make([]byte, 16), fs.attributes(r.node)...)
	case fuseOpen:
		return 0, make([]byte, 16)
	case fuseRelease:
		return 0, nil
	}
	return unix.ENOSYS, nil
}

// entry is a struct fuse_entry_out, which the kernel does not keep. The caller holds mu.
func (fs *FUSE) entry(name string) (unix.Errno, []byte) {
	node, ok := fs.names[name]
	if !ok {
		return unix.ENOENT, nil
	}
	out := binary.NativeEndian.AppendUint64(make([]byte, 0, 128), node)
	return 0, append(out[:40], fs.attributes(node)...)
}

// unlink removes a file, when it may. The caller holds mu.
func (fs *FUSE) unlink(name string) unix.Errno {
	if wait := fs.unlinking; wait != nil {
		fs.mu.Unlock()
		wait()
		fs.mu.Lock()
	}
	if _, ok := fs.names[name]; !ok {
		return unix.ENOENT
	}
	delete(fs.names, name)
	return 0
}

// attributes is a struct fuse_attr. The caller holds mu.
func (fs *FUSE) attributes(node uint64) []byte {
	attr := make([]byte, 88)
	binary.NativeEndian.PutUint64(attr, node)
	binary.NativeEndian.PutUint32(attr[60:], fs.modes[node])
	binary.NativeEndian.PutUint32(attr[64:], 1) // links
	return attr
}
