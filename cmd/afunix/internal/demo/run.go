package demo

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"afunix"
)

// run starts the receiver and goes through the three parts. It ends when the receiver does, or ctx.
func (d *demo) run(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	address := filepath.Join(d.dir, "s")
	lc := afunix.ListenConfig{Transport: d.transport, Authorize: sameUser}
	l, err := lc.Listen(ctx, "unix", address)
	if err != nil {
		return err
	}
	defer l.Close()
	defer context.AfterFunc(ctx, func() { l.Close() })()

	receiver := d.child(ctx, ReceiverCommand, address)
	if err := receiver.Start(); err != nil {
		return err
	}
	ended := make(chan struct{})
	var status error // how the receiver has ended
	go func() {
		defer close(ended)
		status = receiver.Wait()
		cancel(fmt.Errorf("the receiver has ended too early: %v", status))
	}()
	err = d.serve(ctx, l)
	if errors.Is(err, net.ErrClosed) && ctx.Err() != nil {
		err = context.Cause(ctx) // which has closed what serve was using
	}
	if err != nil {
		cancel(nil) // kills the receiver, which else ends by itself
	}
	<-ended
	if err == nil && status != nil {
		err = fmt.Errorf("the receiver: %w", status)
	}
	return err
}

// child prepares another process of this program, which is killed when ctx ends.
func (d *demo) child(ctx context.Context, command string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, d.self, append([]string{command, "--transport", d.transport.String()}, args...)...)
	cmd.Stderr = d.errs
	cmd.WaitDelay = time.Second // for a process that has inherited the standard error of one that was killed
	return cmd
}

// sameUser lets nobody else take part.
func sameUser(peer afunix.Credentials) error {
	if !peer.SameUser() {
		return errors.New("another user")
	}
	return nil
}

// serve goes through the parts with the receiver that connects to l.
func (d *demo) serve(ctx context.Context, l *afunix.Listener) error {
	c, err := l.AcceptConn()
	if err != nil {
		return fmt.Errorf("the receiver has not connected: %w", err)
	}
	defer c.Close()
	defer context.AfterFunc(ctx, func() { c.Close() })()
	d.talk = &talk{conn: c}
	if err := d.showKinds(); err != nil {
		return err
	}
	if err := d.showFull(); err != nil {
		return err
	}
	if err := d.showBequest(ctx); err != nil {
		return err
	}
	return d.verdict()
}

// pass sends a request with descriptors, and keeps account.
func (d *demo) pass(r request, files []afunix.Sendable) error {
	began := time.Now()
	if err := d.talk.send(r, files...); err != nil {
		return err
	}
	d.passed(len(files), time.Since(began))
	return nil
}

func (d *demo) passed(descriptors int, took time.Duration) {
	d.messages++
	d.descriptors += descriptors
	d.sending += took
}

// showKinds is the first part: one message with descriptors of many kinds.
func (d *demo) showKinds() error {
	var shown []*exhibit
	defer func() {
		for _, e := range shown {
			e.close()
		}
	}()
	var files []afunix.Sendable
	for _, make := range exhibits {
		e, err := make(d.dir)
		if err != nil && !errors.Is(err, errors.ErrUnsupported) {
			return err
		}
		if err != nil {
			d.lines = append(d.lines, line{what: e.what,
				seen: observation{Did: "this system has no descriptors for it"}, leftOut: true})
			continue
		}
		shown = append(shown, e)
		files = append(files, e.file)
	}
	if err := d.pass(request{Do: doUse}, files); err != nil {
		return err
	}
	for _, e := range shown {
		if err := e.sent(); err != nil {
			return fmt.Errorf("%s: %w", e.what, err)
		}
	}
	seen, err := d.talk.answer(len(shown))
	if err != nil {
		return err
	}
	for i, e := range shown {
		l := check(e.what, seen[i], e.want)
		if l.problem == nil {
			l.problem = e.confirm()
		}
		d.lines = append(d.lines, l)
	}
	return nil
}

// showFull is the second part: as many descriptors as a message may have. They are of one file, but
// each was opened for itself and has read as many lines as there are descriptors before it.
func (d *demo) showFull() error {
	text, files, closeFiles, err := openLines(d.dir, afunix.MaxRights)
	if err != nil {
		return err
	}
	defer closeFiles()
	if err := d.pass(request{Do: doReadAll}, files); err != nil {
		return err
	}
	closeFiles()
	seen, err := d.talk.answer(1)
	if err != nil {
		return err
	}
	d.lines = append(d.lines, check(fmt.Sprintf("%d files in one message", len(files)), seen[0], text))
	return nil
}

// showBequest is the third part: the receiver listens, a third process sends it a file and is
// killed, and only then the receiver is told to look.
func (d *demo) showBequest(ctx context.Context) error {
	path, token, err := writeToken(d.dir)
	if err != nil {
		return err
	}
	address := filepath.Join(d.dir, "r")
	if err := d.talk.send(request{Do: doListen, Address: address}); err != nil {
		return err
	}
	if _, err := d.talk.answer(0); err != nil {
		return err
	}
	if err := d.sendAndDie(ctx, address, path); err != nil {
		return fmt.Errorf("the third process: %w", err)
	}
	if err := d.talk.send(request{Do: doInherit}); err != nil {
		return err
	}
	seen, err := d.talk.answer(1)
	if err != nil {
		return err
	}
	d.lines = append(d.lines, check("file, whose sender was killed", seen[0], token))
	return nil
}

// sendAndDie runs a process that sends the file at path to the address, and kills the process as
// soon as its WriteMsg has returned. When sendAndDie returns, the process is gone.
func (d *demo) sendAndDie(ctx context.Context, address, path string) error {
	cmd := d.child(ctx, SenderCommand, address, path)
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	alive, err := cmd.StdinPipe() // it ends when nobody holds this any more
	if err != nil {
		return err
	}
	defer alive.Close()
	if err := cmd.Start(); err != nil {
		return err
	}
	said, readErr := bufio.NewReader(out).ReadString('\n')
	killErr := cmd.Process.Kill()
	status := cmd.Wait()
	took, err := time.ParseDuration(strings.TrimSpace(said))
	switch {
	case errors.Is(readErr, io.EOF):
		return fmt.Errorf("has sent nothing: %w", status)
	case err != nil:
		return err
	case errors.Is(killErr, os.ErrProcessDone) || status == nil:
		return errors.New("has ended before it could be killed")
	case killErr != nil:
		return killErr
	}
	d.passed(1, took)
	return nil
}
