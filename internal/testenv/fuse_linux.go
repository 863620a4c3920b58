package testenv

import (
	"encoding/binary"
	"strconv"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"
)

// A FUSE is a file system with one empty file. What it is asked while it is silent it does not answer.
type FUSE struct {
	Dir    string      // where it is, with the file "file"
	Silent atomic.Bool // it answers nothing
	dev    int
}

// Requests (include/uapi/linux/fuse.h).
const (
	fuseLookup  = 1
	fuseForget  = 2
	fuseGetattr = 3
	fuseOpen    = 14
	fuseRelease = 18
	fuseInit    = 26
)

// MountFUSE makes a file system of this process's own (fuse(4)), or skips the test.
func MountFUSE(t testing.TB) *FUSE {
	t.Helper()
	dev, err := unix.Open("/dev/fuse", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Skip("no file systems of users here: ", err)
	}
	fs := &FUSE{Dir: TempDir(t), dev: dev}
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
		opcode, unique, node := binary.LittleEndian.Uint32(request[4:]), binary.LittleEndian.Uint64(request[8:]), binary.LittleEndian.Uint64(request[16:])
		if opcode == fuseForget {
			continue
		}
		errno, body := fs.answer(opcode, node)
		reply := binary.LittleEndian.AppendUint32(nil, uint32(16+len(body)))
		reply = binary.LittleEndian.AppendUint32(reply, uint32(-int32(errno)))
		reply = binary.LittleEndian.AppendUint64(reply, unique)
		unix.Write(fs.dev, append(reply, body...))
	}
}

func (fs *FUSE) answer(opcode uint32, node uint64) (unix.Errno, []byte) {
	switch opcode {
	case fuseInit:
		out := make([]byte, 64)
		binary.LittleEndian.PutUint32(out, 7)      // major
		binary.LittleEndian.PutUint32(out[4:], 31) // minor
		binary.LittleEndian.PutUint32(out[20:], 4096)
		return 0, out
	case fuseLookup:
		out := make([]byte, 40, 128)
		out[0] = 2 // the node
		return 0, append(out, attributes(2)...)
	case fuseGetattr:
		return 0, append(make([]byte, 16), attributes(node)...)
	case fuseOpen:
		return 0, make([]byte, 16)
	case fuseRelease:
		return 0, nil
	}
	return unix.ENOSYS, nil
}

// attributes is a struct fuse_attr.
func attributes(node uint64) []byte {
	attr := make([]byte, 88)
	mode := uint32(unix.S_IFREG | 0o644)
	if node == 1 {
		mode = unix.S_IFDIR | 0o755
	}
	binary.LittleEndian.PutUint64(attr, node)
	binary.LittleEndian.PutUint32(attr[60:], mode)
	binary.LittleEndian.PutUint32(attr[64:], 1) // links
	return attr
}
