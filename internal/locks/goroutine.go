//go:build afunix_locks && (amd64 || arm64)

package locks

// goroutine returns what tells this goroutine from all others that run: the address of the
// runtime's record of it. One that starts after this one has ended may get the same.
func goroutine() uintptr
