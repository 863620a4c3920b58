// Package demo is the demonstration: it hands descriptors of all kinds to a second process, which
// uses each and reports what it saw.
//
// The other processes are this program, too. It has two commands for them, [ReceiverCommand] and
// [SenderCommand], which are given --transport with the transport's name, and their arguments.
package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"afunix"
)

// The commands of this program that the demonstration starts.
const (
	ReceiverCommand = "demo-receiver" // ADDR: connects there, and runs a [Receiver]
	SenderCommand   = "demo-sender"   // ADDR PATH: connects there, and calls [Send]
)

// limit bounds the demonstration of one transport.
const limit = time.Minute

// ErrRefused is why a transport that this system has passes no descriptors here.
var ErrRefused = errors.New("it passes no descriptors here: it takes them out of the process at the other end, which Linux allows" +
	" from 6.5 on (SO_PASSPIDFD), and only to who may ptrace that process")

// Available returns which of the transports can pass descriptors on this system, and which the
// system has and does not let. A transport that could, but fails, is among the former.
func Available(transports []afunix.Transport) (available, refused []afunix.Transport) {
	for _, t := range transports {
		switch err := tryTransport(t); {
		case errors.Is(err, errors.ErrUnsupported):
		case errors.Is(err, ErrRefused):
			refused = append(refused, t)
		default:
			available = append(available, t)
		}
	}
	return available, refused
}

// tryTransport passes a descriptor to this process itself. The error is [errors.ErrUnsupported]
// where there is no such transport, and ErrRefused where it may carry data alone.
func tryTransport(t afunix.Transport) (err error) {
	a, b, err := t.Pair("unix")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, a.Close(), b.Close()) }()
	null, err := os.Open(os.DevNull)
	if err != nil {
		return err
	}
	defer null.Close()
	if err := a.SetDeadline(time.Now().Add(limit)); err != nil {
		return err
	}
	if _, err := a.WriteMsg([]byte{0}, null); errors.Is(err, fs.ErrPermission) {
		return ErrRefused
	} else if err != nil {
		return err
	}
	return nil
}

// Run shows one transport after the other on out, all of them even if one fails. What the other
// processes have to complain about goes to errs. The error is nil only if everything was right.
func Run(ctx context.Context, chosen []afunix.Transport, out, errs io.Writer) error {
	if len(chosen) == 0 {
		return errors.New("no transport of this system passes descriptors")
	}
	var failures []error
	for _, t := range chosen {
		if err := runOne(ctx, t, out, errs); err != nil {
			failures = append(failures, fmt.Errorf("%v transport: %w", t, err))
		}
		if ctx.Err() != nil {
			break
		}
	}
	return errors.Join(failures...)
}

// runOne shows one transport. Whatever happens, it leaves no process and no file behind.
func runOne(ctx context.Context, t afunix.Transport, out, errs io.Writer) (err error) {
	if err := tryTransport(t); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("not done within %v", limit))
	defer cancel()
	dir, err := os.MkdirTemp("", "afunix-demo-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, removeDir(dir)) }()
	self, err := os.Executable()
	if err != nil {
		return err
	}
	d := &demo{transport: t, dir: dir, self: self, errs: errs}
	began := time.Now()
	err = d.run(ctx)
	took := time.Since(began)
	if len(d.lines) > 0 {
		_, printErr := io.WriteString(out, d.report(took))
		err = errors.Join(err, printErr)
	}
	return err
}

// removeDir removes a directory of files. (os.RemoveAll would do, but not on Wine 8, which lacks a
// call that it needs.) On Windows a file may stay for a moment after its process has ended, so it
// tries for a second.
func removeDir(dir string) error {
	for began := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		err := tryRemoveDir(dir)
		if err == nil || time.Since(began) > time.Second {
			return err
		}
	}
}

func tryRemoveDir(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := os.Remove(filepath.Join(dir, e.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return os.Remove(dir)
}

// A demo is a run over one transport.
type demo struct {
	transport afunix.Transport
	dir       string
	self      string // this program, which is the other processes, too
	errs      io.Writer
	talk      *talk // with the receiver

	lines       []line
	messages    int           // that had descriptors
	descriptors int           // in those
	sending     time.Duration // in WriteMsg, for those
}
