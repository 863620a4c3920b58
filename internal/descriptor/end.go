package descriptor

// An End is an end of the pipe transport that has moved to this process (P8). It is no descriptor,
// but has one, which it owns.
type End interface {
	// Taken is called when its user takes it. As with a descriptor, it is then that he learns what
	// it is called.
	Taken()
	Close() error
}
