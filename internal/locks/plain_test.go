//go:build !afunix_locks

package locks

import (
	"sync"
	"unsafe"
)

// Without the tag, there is nothing to pay: these are the types of package sync.
var (
	_ *sync.Mutex   = new(Mutex[Conn])
	_ *sync.RWMutex = new(RWMutex[Conn])
	_ [0]struct{}   = [unsafe.Sizeof(Mutex[Conn]{}) - unsafe.Sizeof(sync.Mutex{})]struct{}{}
)
