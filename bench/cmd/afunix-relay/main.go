//go:build linux

// Command afunix-relay measures relays: many connections at once through one, all of them in use.
//
//	go build -C cmd/afunix -o /tmp/afunix && go run -C bench ./cmd/afunix-relay -afunix /tmp/afunix
//
// Beside "afunix proxy" and "afunix proxy --mux" it measures socat, which starts a process for each
// connection, and no relay at all. Rounds are interleaved, and the figures are medians; compare the
// ratios, which depend less on the machine.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

var (
	afunix      = flag.String("afunix", "afunix", "the command")
	connections = flag.Int("n", 1000, "connections at once")
	rounds      = flag.Int("rounds", 3, "rounds")
	bytes       = flag.Int("bytes", 256<<10, "bytes that each connection sends and gets back")
)

// A contender is a relay: the command that listens at front and connects to back.
type contender struct {
	name    string
	command func(front, back string) []string
}

var contenders = []contender{
	{"no relay", nil},
	{"afunix proxy", func(front, back string) []string { return []string{*afunix, "proxy", front, back} }},
	{"afunix proxy --mux", func(front, back string) []string {
		return []string{*afunix, "proxy", front, "--mux", "--", *afunix, "proxy", "--mux", "-", back}
	}},
	{"socat", func(front, back string) []string {
		return []string{"socat", "UNIX-LISTEN:" + front + ",fork,backlog=4096", "UNIX-CONNECT:" + back}
	}},
}

// A figure is what one round of one contender came to.
type figure struct {
	connect   time.Duration // until all connections have had an answer
	transfer  time.Duration // until all bytes have come back
	idle      int           // memory of all processes of the relay before that, in KiB (proportional set size)
	memory    int           // after that
	processes int
}

func main() {
	flag.Parse()
	figures := make([][]figure, len(contenders))
	for range *rounds {
		for i, c := range contenders {
			f, err := measure(c)
			if err != nil {
				log.Fatalf("%s: %v", c.name, err)
			}
			figures[i] = append(figures[i], f)
		}
	}
	fmt.Printf("%d connections, %d KiB each way on each, medians of %d rounds\n", *connections, *bytes>>10, *rounds)
	fmt.Printf("%-20s %12s %12s %10s %10s %10s\n", "", "connect", "MB/s", "MiB before", "MiB after", "processes")
	for i, c := range contenders {
		median := func(of func(figure) float64) float64 {
			var all []float64
			for _, f := range figures[i] {
				all = append(all, of(f))
			}
			slices.Sort(all)
			return all[len(all)/2]
		}
		fmt.Printf("%-20s %9.0f ms %12.0f %10.1f %10.1f %10.0f\n", c.name,
			median(func(f figure) float64 { return f.connect.Seconds() * 1000 }),
			median(func(f figure) float64 { return 2 * float64(*connections**bytes) / 1e6 / f.transfer.Seconds() }),
			median(func(f figure) float64 { return float64(f.idle) / 1024 }),
			median(func(f figure) float64 { return float64(f.memory) / 1024 }),
			median(func(f figure) float64 { return float64(f.processes) }))
	}
}

// measure runs one round.
func measure(c contender) (figure, error) {
	dir, err := os.MkdirTemp("", "relay")
	if err != nil {
		return figure{}, err
	}
	defer os.RemoveAll(dir)
	front, back := filepath.Join(dir, "front"), filepath.Join(dir, "back")
	l, err := net.Listen("unix", back)
	if err != nil {
		return figure{}, err
	}
	defer l.Close()
	go serve(l)
	if c.command == nil {
		return load(back, 0)
	}
	args := c.command(front, back)
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return figure{}, err
	}
	defer func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // they may have ended
		_ = cmd.Wait()
	}()
	if err := await(front); err != nil {
		return figure{}, err
	}
	return load(front, cmd.Process.Pid)
}

// serve sends back what it gets.
func serve(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer c.Close()
			buf := make([]byte, 32<<10)
			for {
				n, err := c.Read(buf)
				if err != nil {
					return
				}
				if _, err := c.Write(buf[:n]); err != nil {
					return
				}
			}
		}()
	}
}

func await(path string) error {
	again := time.NewTicker(5 * time.Millisecond)
	defer again.Stop()
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); <-again.C {
		c, err := net.Dial("unix", path)
		if err == nil {
			return c.Close()
		}
	}
	return errors.New("nobody listens at " + path)
}

// load opens all connections, sends a byte over each, and then all bytes over all at once.
func load(path string, group int) (f figure, err error) {
	conns := make([]net.Conn, *connections)
	begun := time.Now()
	if err := all(func(i int) error {
		c, err := dial(path)
		if err != nil {
			return err
		}
		conns[i] = c
		return exchange(c, 1)
	}); err != nil {
		return f, err
	}
	f.connect = time.Since(begun)
	if group != 0 {
		f.idle, _ = weigh(group)
	}
	begun = time.Now()
	if err := all(func(i int) error { return exchange(conns[i], *bytes) }); err != nil {
		return f, err
	}
	f.transfer = time.Since(begun)
	if group != 0 {
		f.memory, f.processes = weigh(group)
	}
	return f, all(func(i int) error { return conns[i].Close() })
}

// dial connects, and tries again while the backlog is full.
func dial(path string) (net.Conn, error) {
	again := time.NewTicker(time.Millisecond)
	defer again.Stop()
	for {
		c, err := net.Dial("unix", path)
		if !errors.Is(err, syscall.EAGAIN) {
			return c, err
		}
		<-again.C
	}
}

// all does something for all connections at once.
func all(do func(i int) error) error {
	var wg sync.WaitGroup
	errs := make([]error, *connections)
	for i := range *connections {
		wg.Go(func() { errs[i] = do(i) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

// exchange sends n bytes, and gets as many back.
func exchange(c net.Conn, n int) error {
	sent := make(chan error, 1)
	go func() {
		_, err := c.Write(make([]byte, n))
		sent <- err
	}()
	_, err := io.CopyN(io.Discard, c, int64(n))
	return errors.Join(err, <-sent)
}

// weigh adds up the memory of the processes of a group, in KiB.
func weigh(group int) (memory, processes int) {
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, stat := range stats {
		text, err := os.ReadFile(stat)
		if err != nil {
			continue // it has ended
		}
		_, rest, _ := strings.Cut(string(text), ") ")
		fields := strings.Fields(rest)
		if len(fields) < 3 || fields[2] != strconv.Itoa(group) {
			continue
		}
		processes++
		rollup, _ := os.ReadFile(filepath.Join(filepath.Dir(stat), "smaps_rollup"))
		for line := range strings.Lines(string(rollup)) {
			var kb int
			if n, _ := fmt.Sscanf(line, "Pss: %d kB", &kb); n == 1 {
				memory += kb
			}
		}
	}
	return memory, processes
}
