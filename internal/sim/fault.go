package sim

import (
	"fmt"
	"syscall"
	"time"

	"afunix/internal/simproc"
)

// A Fault is something that goes wrong with process Of, or with pipe Of.
type Fault struct {
	Kind Wrong
	Of   int
	For  time.Duration // of what does not last
}

// Wrong is what goes wrong.
type Wrong uint8

// What can go wrong.
const (
	Kill    Wrong = iota // the process ends, whatever it is doing
	Exit                 // its program closes everything and ends
	Suspend              // it does nothing for a while
	Freeze               // it does nothing for a while, and is then killed
	Break                // the pipe is cut: what is in it is lost
	Fill                 // the process's table has no room for a while
	Deny                 // the process can duplicate nothing for a while: neither in its table nor into another one
)

func (k Wrong) String() string {
	return [...]string{"killed", "exits", "suspended", "suspended, then killed", "broken", "table full", "without duplicates"}[k]
}

func (f Fault) String() string {
	what := "process"
	if f.Kind == Break {
		what = "pipe"
	}
	return fmt.Sprintf("%s %d %v for %v", what, f.Of, f.Kind, f.For)
}

// At makes f happen before that step.
func (w *World) At(step int, f Fault) { w.faults[step] = append(w.faults[step], f) }

// happen makes it so. The engine's locks may be held.
func (f Fault) happen(w *World) {
	w.Note("FAULT", f.String())
	if f.Kind == Break {
		w.mu.Lock()
		if f.Of < len(w.pipes) {
			w.pipes[f.Of].cut()
		}
		w.mu.Unlock()
		return
	}
	w.mu.Lock()
	if f.Of >= len(w.procs) {
		w.mu.Unlock()
		return
	}
	p := w.procs[f.Of]
	w.mu.Unlock()
	switch f.Kind {
	case Kill:
		p.kill()
	case Exit:
		p.exit()
	case Suspend, Freeze:
		p.suspend()
		time.AfterFunc(f.For, func() {
			if f.Kind == Freeze {
				p.kill()
			} else {
				p.resume()
			}
		})
	case Fill:
		p.filled()
		p.Limit(0)
		time.AfterFunc(f.For, func() { p.Limit(1 << 30) })
	case Deny:
		p.Inject(func(op simproc.Op) error {
			if op == simproc.Dup || op == simproc.Push || op == simproc.Export {
				return syscall.EMFILE
			}
			return nil
		})
		time.AfterFunc(f.For, func() { p.Inject(nil) })
	}
}
