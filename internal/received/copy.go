package received

import (
	"os"

	"afunix/internal/descriptor"
)

// Copy gives use a duplicate of the descriptor that f has, and its kind. If use succeeds it owns
// the duplicate.
func Copy[T any](f *os.File, use func(v uintptr, k descriptor.Kind) (T, error)) (got T, err error) {
	raw, err := f.SyscallConn()
	if err != nil {
		return got, err
	}
	var failed error
	if raw.Control(func(v uintptr) { got, failed = duplicate(v, use) }) != nil {
		return got, os.ErrClosed // package os has no exported name for its error
	}
	return got, failed
}

func duplicate[T any](v uintptr, use func(v uintptr, k descriptor.Kind) (T, error)) (got T, err error) {
	k, err := descriptor.System.Kind(v)
	if err != nil {
		return got, err
	}
	dup, err := descriptor.System.Dup(v, k)
	if err != nil {
		return got, err
	}
	if got, err = use(dup, k); err != nil {
		_ = descriptor.System.Close(dup, k) // the reason is why it could not be used
	}
	return got, err
}
