// Package wrap has what is known of a function only where its body is.
package wrap

import "fmt"

// Logf is a wrapper of Printf.
func Logf(format string, args ...any) { fmt.Printf(format, args...) }

// Old is not to be used.
//
// Deprecated: use nothing.
func Old() {}

// Pairs takes an even number of arguments.
func Pairs(args ...any) {
	if len(args)%2 != 0 {
		panic("odd number of arguments")
	}
}

// Twice is pure.
func Twice(n int) int { return n + n }

// A failure is an error.
type failure struct{}

func (*failure) Error() string { return "failure" }

// Never returns a nil error.
func Never() error {
	var f *failure
	return f
}
