package descriptor

// EndKind is what an end of the pipe transport of kind k, [Unix] or [UnixListener], is in the
// handle table: a named pipe.
func EndKind(Kind) Kind { return Pipe }
