//go:build afunix_locks

package locks

import "sync"

// A Mutex is a sync.Mutex of class C that checks the order. Only the goroutine that holds it may
// unlock it.
type Mutex[C Class] struct{ mu sync.Mutex }

// Lock is that of sync.Mutex.
func (m *Mutex[C]) Lock() {
	taking[C](m)
	m.mu.Lock()
}

// Unlock is that of sync.Mutex.
func (m *Mutex[C]) Unlock() {
	freeing[C](m)
	m.mu.Unlock()
}

// An RWMutex is a sync.RWMutex of class C that checks the order, in which reading and writing are
// the same: a reader must not lock it twice either, since a writer may come in between.
type RWMutex[C Class] struct{ mu sync.RWMutex }

// Lock is that of sync.RWMutex.
func (m *RWMutex[C]) Lock() {
	taking[C](m)
	m.mu.Lock()
}

// Unlock is that of sync.RWMutex.
func (m *RWMutex[C]) Unlock() {
	freeing[C](m)
	m.mu.Unlock()
}

// RLock is that of sync.RWMutex.
func (m *RWMutex[C]) RLock() {
	taking[C](m)
	m.mu.RLock()
}

// RUnlock is that of sync.RWMutex.
func (m *RWMutex[C]) RUnlock() {
	freeing[C](m)
	m.mu.RUnlock()
}
