package bench

import (
	"errors"
	"fmt"
	"runtime"
	"time"

	"afunix/internal/leaktest"
)

// Idle is what one end of a connection holds on to while nothing happens: the mean of both ends.
type Idle struct {
	Heap        float64 // bytes, after garbage collection
	Stack       float64 // bytes of goroutines' stacks in use
	Goroutines  float64 // their number
	Descriptors float64 // their number; on Windows of handles
}

// Footprint returns heap and stack.
func (i Idle) Footprint() float64 { return i.Heap + i.Stack }

// MeasureIdle makes n connections, dialled and accepted in this process, and has each carry a
// message to and fro. Quiet is what an end then costs while nobody uses it. Reading is what an end
// costs while a goroutine, which is counted, waits in Read for a message.
func MeasureIdle(c Contender, dir string, n int) (quiet, reading Idle, err error) {
	l, address, err := c.Listen(dir)
	if err != nil {
		return Idle{}, Idle{}, err
	}
	var ends []End
	defer func() {
		for _, e := range ends {
			err = errors.Join(err, e.Close())
		}
		err = errors.Join(err, l.Close())
	}()
	// The first connection pays for what all share.
	if ends, err = c.connect(l, address, ends, 1); err != nil {
		return Idle{}, Idle{}, err
	}
	before, err := takeStock()
	if err != nil {
		return Idle{}, Idle{}, err
	}
	if ends, err = c.connect(l, address, ends, n); err != nil {
		return Idle{}, Idle{}, err
	}
	now, err := takeStock()
	if err != nil {
		return Idle{}, Idle{}, err
	}
	quiet = now.since(before, 2*n)
	read := readAll(ends[2:])
	now, err = takeStock()
	for _, e := range ends {
		err = errors.Join(err, e.Close())
	}
	ends = nil
	for range 2 * n {
		<-read
	}
	return quiet, now.since(before, 2*n), err
}

// connect appends both ends of n connections to ends.
func (c Contender) connect(l Listener, address string, ends []End, n int) ([]End, error) {
	type accepted struct {
		end End
		err error
	}
	arrivals := make(chan accepted, 1)
	for range n {
		go func() {
			e, err := l.Accept()
			arrivals <- accepted{e, err}
		}()
		dialled, err := c.Dial(address)
		if err != nil {
			return ends, err // the Accept ends with the listener
		}
		ends = append(ends, dialled)
		a := <-arrivals
		if a.err != nil {
			return ends, a.err
		}
		ends = append(ends, a.end)
		if err := exchange(dialled, a.end); err != nil {
			return ends, err
		}
	}
	return ends, nil
}

// exchange sends a message each way.
func exchange(a, b End) error {
	for _, way := range [][2]End{{a, b}, {b, a}} {
		if err := answer(way[0]); err != nil {
			return err
		}
		if err := answered(way[1], make([]byte, 1)); err != nil {
			return err
		}
	}
	return nil
}

// readAll starts a Read at each end, which nothing but its close will end.
func readAll(ends []End) <-chan error {
	done := make(chan error, len(ends))
	for _, e := range ends {
		go func() { done <- answered(e, make([]byte, 1)) }()
	}
	return done
}

// stock is what this process has.
type stock struct {
	memory      runtime.MemStats
	goroutines  int
	descriptors int
}

// settled is how long everything takes to come to rest: goroutines that end, and those that take
// over from others.
const settled = 100 * time.Millisecond

func takeStock() (s stock, err error) {
	time.Sleep(settled)
	for range 3 { // pools give up what they hold at the second
		runtime.GC()
	}
	runtime.ReadMemStats(&s.memory)
	s.goroutines = runtime.NumGoroutine()
	if s.descriptors, err = leaktest.Descriptors(); err != nil {
		err = fmt.Errorf("counting descriptors: %w", err)
	}
	return s, err
}

// since returns what came on top of before, for each of n.
func (s stock) since(before stock, n int) Idle {
	each := func(now, then uint64) float64 { return (float64(now) - float64(then)) / float64(n) }
	return Idle{
		Heap:        each(s.memory.HeapAlloc, before.memory.HeapAlloc),
		Stack:       each(s.memory.StackInuse, before.memory.StackInuse),
		Goroutines:  float64(s.goroutines-before.goroutines) / float64(n),
		Descriptors: float64(s.descriptors-before.descriptors) / float64(n),
	}
}
