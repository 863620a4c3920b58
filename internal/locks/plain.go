//go:build !afunix_locks

package locks

import "sync"

// A Mutex is a sync.Mutex of class C.
type Mutex[C Class] = sync.Mutex

// An RWMutex is a sync.RWMutex of class C.
type RWMutex[C Class] = sync.RWMutex

// MayWait says that the caller is about to wait, or to make a call of the system on a pipe. The
// caller holds no lock that is not Long.
func MayWait() {}
