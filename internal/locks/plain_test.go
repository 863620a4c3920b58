//go:build !afunix_locks

package locks

import (
	"sync"
	"unsafe"
)

// Without the tag, there is nothing to pay: these are the types of package sync.
var (
	_ *sync.Mutex   = new(Mutex[Session])
	_ *sync.RWMutex = new(RWMutex[Session])
	_ [0]struct{}   = [unsafe.Sizeof(Mutex[Session]{}) - unsafe.Sizeof(sync.Mutex{})]struct{}{}
)
