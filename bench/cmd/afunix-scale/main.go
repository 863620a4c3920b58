// Afunix-scale measures what a connection costs as their number grows, and what a datagram costs as
// its receiver has more senders: time and memory, on the kernel and the pipe transport side by
// side. It prints a table, and draws a plot.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"time"

	"afunix"
)

var (
	connections = []int{10, 30, 100, 300, 1000}
	senders     = []int{1, 10, 50, 100, 200}
	transports  = []afunix.Transport{afunix.KernelTransport, afunix.PipeTransport}
)

func main() {
	plot := flag.String("plot", "", "draw the plot into this `file` (SVG)")
	rounds := flag.Int("rounds", 5, "measure each so often, and take the smallest")
	flag.Parse()
	if err := run(*rounds, *plot); err != nil {
		fmt.Fprintln(os.Stderr, "afunix-scale:", err)
		os.Exit(1)
	}
}

// A figure is one number of things that was measured, for each transport.
type figure struct {
	title, unit string
	at          []int
	values      map[afunix.Transport][]float64
}

func newFigure(title, unit string, at []int) *figure {
	return &figure{title, unit, at, map[afunix.Transport][]float64{}}
}

func run(rounds int, plot string) error {
	dir, err := os.MkdirTemp("", "afunix-scale")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	open := newFigure("opening one of n connections", "µs", connections)
	memory := newFigure("memory of one of n connections, both ends", "KiB", connections)
	trip := newFigure("round trip on one of n connections, in turn", "µs", connections)
	datagram := newFigure("one datagram of n senders at once", "µs", senders)
	for _, tr := range transports {
		for _, n := range connections {
			var runs []sample
			for range rounds {
				s, err := measureConnections(tr, dir, n)
				if err != nil {
					return fmt.Errorf("%v, %d connections: %w", tr, n, err)
				}
				runs = append(runs, s)
			}
			open.add(tr, smallest(runs, func(s sample) float64 { return s.open }))
			memory.add(tr, smallest(runs, func(s sample) float64 { return s.memory }))
			trip.add(tr, smallest(runs, func(s sample) float64 { return s.trip }))
		}
		for _, n := range senders {
			var runs []sample
			for range rounds {
				each, err := measureSenders(tr, dir, n)
				if err != nil {
					return fmt.Errorf("%v, %d senders: %w", tr, n, err)
				}
				runs = append(runs, sample{trip: each})
			}
			datagram.add(tr, smallest(runs, func(s sample) float64 { return s.trip }))
		}
	}
	figures := []*figure{open, memory, trip, datagram}
	fmt.Printf("afunix on %s/%s, %s, %d CPUs; the smallest of %d measurements\n", runtime.GOOS,
		runtime.GOARCH, runtime.Version(), runtime.NumCPU(), rounds)
	for _, f := range figures {
		f.print()
	}
	if plot == "" {
		return nil
	}
	return drawFile(figures, plot)
}

func (f *figure) add(tr afunix.Transport, v float64) { f.values[tr] = append(f.values[tr], v) }

func (f *figure) print() {
	fmt.Printf("\n%s (%s)\n%8s", f.title, f.unit, "n")
	for _, tr := range transports {
		fmt.Printf("%10v", tr)
	}
	fmt.Println()
	for i, n := range f.at {
		fmt.Printf("%8d", n)
		for _, tr := range transports {
			fmt.Printf("%10.1f", f.values[tr][i])
		}
		fmt.Println()
	}
}

// A sample is what was measured once, for each connection.
type sample struct{ open, memory, trip float64 }

// smallest returns what others who use the machine have disturbed least.
func smallest(runs []sample, of func(sample) float64) float64 {
	values := make([]float64, len(runs))
	for i, r := range runs {
		values[i] = of(r)
	}
	return slices.Min(values)
}

// measureConnections opens n connections to one listener, all in this process, and uses each.
func measureConnections(tr afunix.Transport, dir string, n int) (s sample, err error) {
	path := filepath.Join(dir, "l")
	l, err := (&afunix.ListenConfig{Transport: tr}).Listen(context.Background(), "unix", path)
	if err != nil {
		return s, err
	}
	defer l.Close()
	var ends []*afunix.Conn
	defer func() {
		for _, c := range ends {
			err = errors.Join(err, c.Close())
		}
	}()
	before := inUse()
	began := time.Now()
	for range n {
		client, err := (&afunix.Dialer{Transport: tr}).DialContext(context.Background(), "unix", path)
		if err != nil {
			return s, err
		}
		ends = append(ends, client)
		server, err := l.AcceptConn()
		if err != nil {
			return s, err
		}
		ends = append(ends, server)
	}
	s.open = micros(time.Since(began), n)
	if err := roundTrips(ends); err != nil {
		return s, err
	}
	s.memory = float64(inUse()-before) / float64(n) / 1024
	began = time.Now()
	const laps = 3
	for range laps {
		if err := roundTrips(ends); err != nil {
			return s, err
		}
	}
	s.trip = micros(time.Since(began), laps*n)
	return s, nil
}

// roundTrips sends 64 bytes to and fro on each connection.
func roundTrips(ends []*afunix.Conn) error {
	buf := make([]byte, 64)
	for i := 0; i < len(ends); i += 2 {
		for _, way := range [][2]*afunix.Conn{{ends[i], ends[i+1]}, {ends[i+1], ends[i]}} {
			if _, err := way[0].Write(buf); err != nil {
				return err
			}
			if _, err := way[1].Read(buf); err != nil {
				return err
			}
		}
	}
	return nil
}

// inUse is what heap and stacks hold, once everything has come to rest.
func inUse() uint64 {
	time.Sleep(50 * time.Millisecond)
	for range 3 { // pools give up what they hold at the second
		runtime.GC()
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc + m.StackInuse
}

func micros(d time.Duration, n int) float64 { return float64(d) / float64(n) / 1000 }

// measureSenders has n sockets send to one, all at once.
func measureSenders(tr afunix.Transport, dir string, n int) (each float64, err error) {
	path := filepath.Join(dir, "d")
	server, err := (&afunix.ListenConfig{Transport: tr}).ListenPacket(context.Background(), "unixgram", path)
	if err != nil {
		return 0, err
	}
	defer os.Remove(path)
	defer server.Close()
	var sockets []*afunix.Conn
	defer func() {
		for _, c := range sockets {
			c.Close()
		}
	}()
	for range n {
		c, err := (&afunix.Dialer{Transport: tr}).DialContext(context.Background(), "unixgram", path)
		if err != nil {
			return 0, err
		}
		sockets = append(sockets, c)
	}
	total := max(n, 2000/n*n)
	failed := make(chan error, n)
	began := time.Now()
	var wg sync.WaitGroup
	for _, c := range sockets {
		wg.Go(func() {
			data := make([]byte, 64)
			for range total / n {
				if _, err := c.Write(data); err != nil {
					failed <- err
					return
				}
			}
		})
	}
	buf := make([]byte, 64)
	for range total {
		if _, err := server.Read(buf); err != nil {
			return 0, err
		}
	}
	each = micros(time.Since(began), total)
	wg.Wait()
	close(failed)
	return each, <-failed
}
