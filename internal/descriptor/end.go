package descriptor

// An End is an end of the pipe transport that has moved to this process (P8). It is no descriptor,
// but has one, which it owns.
type End interface {
	// Taken is called when the receiving program takes the end. As with a descriptor, the program
	// learns only then what the end is called.
	Taken()
	Close() error
}
