package endpoint

// A wait is one goroutine's wait on outbox.cond. While it lasts, the pipe is read, because that is where what it waits for
// comes from. Its methods are called with outbox.mu held.
type wait struct {
	c     *Conn
	begun bool
}

// more waits for the next news.
func (w *wait) more() {
	if !w.begun {
		w.begun = true
		w.c.need(1)
	}
	w.c.out.cond.Wait()
}

// end ends the wait.
func (w *wait) end() {
	if w.begun {
		w.c.need(-1)
	}
}
