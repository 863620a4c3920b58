package sock

// queue is a first-in-first-out queue of segments in a ring.
type queue struct {
	ring []Segment // its length is a power of two, or 0
	head int
	n    int
}

// spare is the largest ring that an empty queue keeps, so that an idle connection holds next to
// nothing.
const spare = 16

func (q *queue) len() int          { return q.n }
func (q *queue) at(i int) *Segment { return &q.ring[(q.head+i)&(len(q.ring)-1)] }
func (q *queue) first() *Segment   { return q.at(0) }
func (q *queue) last() *Segment    { return q.at(q.n - 1) }

func (q *queue) push(s Segment) {
	if q.n == len(q.ring) {
		q.grow()
	}
	q.n++
	*q.last() = s
}

func (q *queue) grow() {
	ring := make([]Segment, max(4, 2*len(q.ring)))
	for i := range q.n {
		ring[i] = *q.at(i)
	}
	q.ring, q.head = ring, 0
}

// drop removes the last segment.
func (q *queue) drop() {
	*q.last() = Segment{}
	q.n--
}

func (q *queue) pop() {
	*q.first() = Segment{}
	q.head = (q.head + 1) & (len(q.ring) - 1)
	q.n--
	if q.n == 0 && len(q.ring) > spare {
		q.ring, q.head = nil, 0
	}
}
