package descriptor

// An End is an end of the pipe transport that has moved to this process (P8). It is no descriptor, but has one, which it owns.
type End interface{ Close() error }
