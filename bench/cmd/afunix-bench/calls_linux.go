package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"afunix/bench"
)

// A traced run does one workload in two processes, each under a strace(1) of its own. What both
// start up with is taken out by doing a longer run, too.

// tracedVariable says to this program that it is the driver of a traced run: "workload" and how
// often.
const (
	tracedVariable = "AFUNIX_BENCH_TRACED"
	countVariable  = "AFUNIX_BENCH_COUNT"
	dirVariable    = "AFUNIX_BENCH_DIR"
)

// callMessages is how many messages the shorter run has.
var callMessages = map[string]int{"roundtrip64": 200, "write64k": 200, "pass1": 100, "pass253": 5}

// longer is how much longer the longer run is.
const longer = 4

func printCalls(dir string) error {
	heading("System calls per operation, each end in a process of its own, under strace (which changes who waits for whom)")
	if _, err := exec.LookPath("strace"); err != nil {
		fmt.Println("  NOT COUNTED: strace is not installed")
		return nil
	}
	table := newTable()
	row(table, "", "", "", "end", "writes", "reads", "in vain (EAGAIN)", "duplicate, ask, close", "wait, wake", "other")
	for _, w := range bench.Workloads {
		for _, c := range bench.Contenders() {
			driver, peer, err := callsPerMessage(dir, c, w)
			if errors.Is(err, errTracing) {
				fmt.Println("  NOT COUNTED:", err)
				return nil
			}
			if err != nil {
				return fmt.Errorf("counting system calls, %s, %s: %w", w.Title, c.Name, err)
			}
			driver.print(table, w.Title, c.Name, "sender")
			peer.print(table, w.Title, c.Name, "receiver")
		}
	}
	table.Flush()
	fmt.Println("  aimed at: one write and one read for a message that fits in a packet; those in vain are not included")
	fmt.Println("  each figure is the difference of two runs, so that what is rare may come out below 0")
	return nil
}

func callsPerMessage(dir string, c bench.Contender, w bench.Workload) (driver, peer calls, err error) {
	n := callMessages[w.Name]
	shortDriver, shortPeer, err := trace(dir, c, w, n)
	if err != nil {
		return calls{}, calls{}, err
	}
	longDriver, longPeer, err := trace(dir, c, w, longer*n)
	if err != nil {
		return calls{}, calls{}, err
	}
	return longDriver.minus(shortDriver).over((longer - 1) * n), longPeer.minus(shortPeer).over((longer - 1) * n), nil
}

// errTracing: strace does not work here, because it is not allowed or is too old.
var errTracing = errors.New("strace does not work here")

// trace runs a driver and its peer. (The driver cannot start the peer: a strace cannot trace what
// another traces already.)
func trace(dir string, c bench.Contender, w bench.Workload, n int) (driver, peer calls, err error) {
	dir, err = os.MkdirTemp(dir, "trace")
	if err != nil {
		return calls{}, calls{}, err
	}
	driverTrace, peerTrace := filepath.Join(dir, "driver"), filepath.Join(dir, "peer")
	first, address, err := startDriver(dir, c, w, n, straceLine(driverTrace))
	if err != nil {
		return calls{}, calls{}, err
	}
	second, err := c.StartPeer(address, straceLine(peerTrace)...)
	if err == nil {
		err = second.Wait()
	}
	if err != nil {
		first.abandon()
		return calls{}, calls{}, err
	}
	if err := first.Wait(); err != nil {
		return calls{}, calls{}, err
	}
	if driver, err = readTrace(driverTrace); err != nil {
		return calls{}, calls{}, err
	}
	peer, err = readTrace(peerTrace)
	return driver, peer, err
}

// A driver is the first process of a traced run. It ends at the latest when its standard input
// does.
type driver struct {
	*exec.Cmd
	stdin io.Closer
}

func (d driver) abandon() {
	d.stdin.Close()
	d.Wait()
}

// startDriver starts this program again under the command line prefix, as the driver, and returns
// where it listens.
func startDriver(dir string, c bench.Contender, w bench.Workload, n int, prefix []string) (driver, string, error) {
	self, err := os.Executable()
	if err != nil {
		return driver{}, "", err
	}
	cmd := exec.Command(prefix[0], append(prefix[1:], self)...)
	cmd.Env = append(os.Environ(), tracedVariable+"="+c.Name+" "+w.Name,
		countVariable+"="+strconv.Itoa(n), dirVariable+"="+dir)
	var complaints strings.Builder
	cmd.Stderr = &complaints
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return driver{}, "", err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return driver{}, "", err
	}
	if err := cmd.Start(); err != nil {
		return driver{}, "", err
	}
	d := driver{cmd, stdin}
	address, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		d.abandon()
		return driver{}, "", fmt.Errorf("%w: %s", errTracing, strings.TrimSpace(complaints.String()))
	}
	return d, strings.TrimSuffix(address, "\n"), nil
}

// straceLine traces all threads, names what a descriptor is, and shows no contents.
func straceLine(output string) []string {
	return []string{"strace", "-f", "-y", "-qq", "-s", "0", "-e", "signal=none", "-o", output, "--"}
}

// runTraced is the main function of the driver of a traced run. It reports whether this process is
// one.
func runTraced() bool {
	var contender, workload string
	if _, err := fmt.Sscan(os.Getenv(tracedVariable), &contender, &workload); err != nil {
		return false
	}
	if err := driveTraced(contender, workload); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	return true
}

func driveTraced(contender, workload string) error {
	go func() {
		io.Copy(io.Discard, os.Stdin)
		os.Exit(1)
	}()
	c, err := bench.Find(contender)
	if err != nil {
		return err
	}
	w, err := bench.FindWorkload(workload)
	if err != nil {
		return err
	}
	n, err := strconv.Atoi(os.Getenv(countVariable))
	if err != nil {
		return err
	}
	cargo, err := bench.NewCargo(w.Passed)
	if err != nil {
		return err
	}
	defer cargo.Close()
	l, address, err := c.Listen(os.Getenv(dirVariable))
	if err != nil {
		return err
	}
	defer l.Close()
	fmt.Println(address)
	e, err := l.Accept()
	if err != nil {
		return err
	}
	return errors.Join(w.Drive(e, n, cargo, bench.NewBuffer()), e.Close())
}

func readTrace(path string) (calls, error) {
	f, err := os.Open(path)
	if err != nil {
		return calls{}, err
	}
	defer f.Close()
	reader := newTraceReader()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		reader.line(lines.Text())
	}
	return reader.total, lines.Err()
}
