//go:build unix

package longpath

import "golang.org/x/sys/unix"

// Max is how many bytes a path has in a socket's address: a NUL comes behind it (unix(7)).
const Max = len(unix.RawSockaddrUnix{}.Path) - 1
