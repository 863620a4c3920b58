//go:build unix

package sockfile

import "syscall"

// Inode returns that of the file which the kernel says the socket is bound to, whether its path
// leads there or not. Where the kernel does not say, ok is false on Linux; elsewhere it is the
// inode of the socket file to which path leads, if it leads to one.
func Inode(socket syscall.RawConn, path string) (inode uint64, ok bool) {
	err := socket.Control(func(fd uintptr) {
		var file id
		file, ok = bound(fd, path)
		inode = file.inode
	})
	return inode, ok && err == nil
}
