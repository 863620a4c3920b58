package transport

import "sync"

// maxKept is the largest buffer that is kept for another call of Joined: more than a record holds.
const maxKept = 256 << 10

var whole = sync.Pool{New: func() any { return new([]byte) }}

// Joined calls write with what is in all slices, one after the other. It is WriteBuffers where
// nothing takes several slices at once, at the cost of a copy.
func Joined(b [][]byte, write func([]byte) (int, error)) (int64, error) {
	if len(b) == 1 {
		n, err := write(b[0])
		return int64(n), err
	}
	all := whole.Get().(*[]byte)
	joined := (*all)[:0]
	for _, slice := range b {
		joined = append(joined, slice...)
	}
	n, err := write(joined)
	if *all = joined; cap(joined) <= maxKept {
		whole.Put(all)
	}
	return int64(n), err
}

// Length is how many bytes there are in all slices.
func Length(b [][]byte) (n int) {
	for _, slice := range b {
		n += len(slice)
	}
	return n
}
