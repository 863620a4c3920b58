package broken

func sum(a, b int64) int64

// Sum calls what is broken.
func Sum() int64 { return sum(1, 2) }
