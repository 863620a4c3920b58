package sock_test

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"afunix/internal/sock"
)

// all are the debts, in the order in which they are paid.
var all = []sock.Debt{
	sock.DebtHello, sock.DebtReady, sock.DebtAck, sock.DebtRefuse, sock.DebtCancel,
	sock.DebtCredit, sock.DebtOptions, sock.DebtShutdown, sock.DebtMove, sock.DebtBye,
}

// heard are those that a peer can hear, in the order in which they are paid.
func heard(h sock.Hearing) []sock.Debt {
	switch h {
	case sock.HearsAll:
		return all
	case sock.HearsCredit:
		return []sock.Debt{sock.DebtAck, sock.DebtCredit, sock.DebtBye}
	case sock.HearsAcks:
		return []sock.Debt{sock.DebtAck}
	}
	return nil
}

// owing owes exactly these.
func owing(debts ...sock.Debt) *sock.Debts {
	o := new(sock.Debts)
	for _, d := range debts {
		if d == sock.DebtAck {
			o.Acknowledge(1)
		} else {
			o.Owe(d)
		}
	}
	return o
}

// S6: of what is owed, the peer is told first what stands first, and only what it can hear.
func TestDebtsAreToldInOrder(t *testing.T) {
	for h := range sock.HearsNothing + 1 {
		o, out := owing(all...), sock.NewOutbox(sock.Stream)
		var got []sock.Debt
		for {
			d, ok := o.Next(h)
			if !ok {
				break
			}
			got = append(got, d)
			o.Paid(o.Pay(d, out, false))
		}
		if !slices.Equal(got, heard(h)) {
			t.Errorf("hearing %d: %v, want %v", h, got, heard(h))
		}
	}
}

// What is there to a debt is told with it, and once.
func TestPayment(t *testing.T) {
	for name, tt := range map[string]struct {
		owe  func(*sock.Debts)
		debt sock.Debt
		want sock.Payment
	}{
		"acknowledgement": {func(o *sock.Debts) { o.Acknowledge(7) }, sock.DebtAck, sock.Payment{About: 7}},
		"of the last":     {func(o *sock.Debts) { o.Acknowledge(7); o.Acknowledge(5) }, sock.DebtAck, sock.Payment{About: 7}},
		"refusal":         {func(o *sock.Debts) { o.Refuse(3, sock.Barred) }, sock.DebtRefuse, sock.Payment{About: 3, Why: sock.Barred}},
		"withdrawal":      {func(o *sock.Debts) { o.Cancel(4) }, sock.DebtCancel, sock.Payment{About: 4}},
		"one half":        {func(o *sock.Debts) { o.OweShutdown(sock.ReadHalf) }, sock.DebtShutdown, sock.Payment{Halves: sock.ReadHalf}},
		"both halves": {func(o *sock.Debts) { o.OweShutdown(sock.ReadHalf); o.OweShutdown(sock.WriteHalf) },
			sock.DebtShutdown, sock.Payment{Halves: sock.ReadHalf | sock.WriteHalf}},
		"move":           {func(o *sock.Debts) { o.OweMove(sock.Elsewhere) }, sock.DebtMove, sock.Payment{}},
		"over itself":    {func(o *sock.Debts) { o.OweMove(sock.Itself) }, sock.DebtMove, sock.Payment{Route: sock.Itself}},
		"goodbye":        {func(o *sock.Debts) { o.OweBye(true) }, sock.DebtBye, sock.Payment{Reset: true}},
		"answer":         {func(o *sock.Debts) { o.OweHello(false) }, sock.DebtHello, sock.Payment{}},
		"hello":          {func(o *sock.Debts) { o.OweHello(true) }, sock.DebtHello, sock.Payment{Moved: true}},
		"hello, answers": {func(o *sock.Debts) { o.OweHello(true); o.OweHello(false) }, sock.DebtHello, sock.Payment{Moved: true}},
	} {
		o, out := new(sock.Debts), sock.NewOutbox(sock.Stream)
		tt.owe(o)
		d, ok := o.Next(sock.HearsAll)
		if !ok || d != tt.debt {
			t.Errorf("%s: %d, %t is owed", name, d, ok)
			continue
		}
		failed := o.Pay(d, out, false)
		o.Unpay(failed, out)
		if tt.want.Debt = tt.debt; failed != tt.want {
			t.Errorf("%s: %+v, want %+v", name, failed, tt.want)
		}
		if again := o.Pay(d, out, false); again != failed || o.Any() {
			t.Errorf("%s, again: %+v; more is owed: %t", name, again, o.Any())
		}
		o.Paid(failed)
		if o.Owe(d); d != sock.DebtHello && d != sock.DebtShutdown && d != sock.DebtMove {
			continue // what it was about stays as it is, and is never owed without being noted
		}
		if later := o.Pay(d, out, false); later != (sock.Payment{Debt: d}) {
			t.Errorf("%s, later: %+v", name, later)
		}
	}
}

// A debt that somebody waits for is acknowledged under a number of its own, once. Nothing is waited
// for that nobody can say.
func TestAskForAnAcknowledgement(t *testing.T) {
	for _, d := range []sock.Debt{sock.DebtOptions, sock.DebtShutdown, sock.DebtMove} {
		for _, deaf := range []bool{false, true} {
			o, out := owing(d), sock.NewOutbox(sock.Stream)
			done := o.Ask(d)
			if o.Ask(d) != done {
				t.Errorf("debt %d: whoever else waits for it waits for something else", d)
			}
			asked := !deaf || d == sock.DebtMove
			p := o.Pay(d, out, deaf)
			if asked != (p.Serial == 1) || asked != (out.Outstanding() == 1) {
				t.Fatalf("debt %d (deaf %t): serial number %d, %d outstanding", d, deaf, p.Serial, out.Outstanding())
			}
			o.Unpay(p, out)
			if out.Outstanding() != 0 || out.NextSerial() != 1 || !o.Owes(d) {
				t.Errorf("debt %d: it was not written, and %d are outstanding", d, out.Outstanding())
			}
			p = o.Pay(d, out, deaf)
			o.Paid(p)
			if asked {
				if err := out.Ack(p.Serial); err != nil || done.Fate != sock.Acknowledged {
					t.Errorf("debt %d: %v, fate %d", d, err, done.Fate)
				}
			}
			if o.Ask(d) == done {
				t.Errorf("debt %d: the next one is acknowledged already", d)
			}
		}
	}
}

// What is struck is not owed, and what there was to it is forgotten.
func TestForgive(t *testing.T) {
	o, out := owing(all...), sock.NewOutbox(sock.Stream)
	o.OweMove(sock.Itself)
	o.OweShutdown(sock.ReadHalf)
	o.OweHello(true)
	o.Ask(sock.DebtMove)
	o.Forgive()
	if d, ok := o.Next(sock.HearsAll); ok {
		t.Fatalf("%d is owed", d)
	}
	for _, d := range []sock.Debt{sock.DebtHello, sock.DebtShutdown, sock.DebtMove} {
		o.Owe(d)
		if p := o.Pay(d, out, false); p != (sock.Payment{Debt: d}) {
			t.Errorf("%+v", p)
		}
	}
}

// Whatever comes to be owed, and however often the pipe is full: the peer is told everything, in
// order, and nothing twice.
func TestDebtsModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o, out := new(sock.Debts), sock.NewOutbox(sock.Stream)
		owed := make(map[sock.Debt]bool)
		var halves, told, toldHalves sock.Halves
		var ack, acked uint64
		var paying *sock.Payment
		owe := func(d sock.Debt) { owed[d] = true }
		free := func(d sock.Debt) bool { return paying == nil || paying.Debt != d }
		t.Repeat(map[string]func(*rapid.T){
			"acknowledge": func(t *rapid.T) {
				serial := rapid.Uint64Range(1, 50).Draw(t, "serial")
				if o.Acknowledge(serial); serial > ack {
					ack = serial
					owe(sock.DebtAck)
				}
			},
			"owe": func(t *rapid.T) {
				d := rapid.SampledFrom([]sock.Debt{sock.DebtReady, sock.DebtCredit, sock.DebtOptions}).Draw(t, "debt")
				o.Owe(d)
				owe(d)
				if d == sock.DebtOptions && free(d) && rapid.Bool().Draw(t, "ask") {
					o.Ask(d)
				}
			},
			"shutdown": func(t *rapid.T) {
				if free(sock.DebtShutdown) {
					h := sock.Halves(rapid.IntRange(1, 3).Draw(t, "halves"))
					o.OweShutdown(h)
					halves |= h
					owe(sock.DebtShutdown)
				}
			},
			"pay": func(t *rapid.T) {
				h := sock.Hearing(rapid.IntRange(0, int(sock.HearsNothing)).Draw(t, "hearing"))
				d, ok := o.Next(h)
				i := slices.IndexFunc(heard(h), func(d sock.Debt) bool { return owed[d] })
				if ok != (i >= 0) || ok && heard(h)[i] != d {
					t.Fatalf("%d, %t is next of %v", d, ok, owed)
				}
				if ok && paying == nil {
					p := o.Pay(d, out, rapid.Bool().Draw(t, "deaf"))
					paying = &p
					delete(owed, d)
				}
			},
			"written": func(t *rapid.T) {
				if paying == nil {
					return
				}
				o.Paid(*paying)
				switch paying.Debt {
				case sock.DebtAck:
					acked = paying.About
				case sock.DebtShutdown:
					if told = paying.Halves; told == 0 {
						t.Fatal("a shutdown of nothing")
					}
					toldHalves |= told
					halves &^= told
				}
				paying = nil
			},
			"full": func(t *rapid.T) {
				if paying != nil {
					o.Unpay(*paying, out)
					owe(paying.Debt)
					paying = nil
				}
			},
			"": func(t *rapid.T) {
				for _, d := range all {
					if o.Owes(d) != owed[d] {
						t.Fatalf("debt %d is owed: %t", d, o.Owes(d))
					}
				}
				if quiet := paying == nil && len(owed) == 0; quiet && (acked != ack || halves != 0) {
					t.Fatalf("nothing is owed, and of %d acknowledgements %d were told, of halves %d not", ack, acked, halves)
				}
			},
		})
	})
}

// What has been ignored is not acknowledged, nor what came later: that would be for both.
func TestNothingIsAcknowledgedBehindWhatIsIgnored(t *testing.T) {
	var d sock.Debts
	d.Acknowledge(3)
	d.Ignore(5)
	for serial := uint64(4); serial < 8; serial++ {
		d.Acknowledge(serial)
	}
	if p := d.Pay(sock.DebtAck, sock.NewOutbox(sock.Stream), false); p.About != 4 {
		t.Errorf("acknowledged up to %d, want 4", p.About)
	}
}

// Transfers behind one that is held are acknowledged with it, and those before it as ever.
func TestNothingIsAcknowledgedBehindWhatIsHeld(t *testing.T) {
	var d sock.Debts
	out := sock.NewOutbox(sock.Stream)
	d.Hold(5)
	d.Acknowledge(4)
	if p := d.Pay(sock.DebtAck, out, false); p.About != 4 {
		t.Errorf("acknowledged up to %d, want 4", p.About)
	} else {
		d.Paid(p)
	}
	d.Acknowledge(6)
	d.Acknowledge(7)
	if d.Owes(sock.DebtAck) || d.Acknowledged() {
		t.Errorf("an acknowledgement is owed: %t; all have been told: %t", d.Owes(sock.DebtAck), d.Acknowledged())
	}
	d.Acknowledge(5)
	if p := d.Pay(sock.DebtAck, out, false); p.About != 7 {
		t.Errorf("acknowledged up to %d, want 7", p.About)
	} else {
		d.Paid(p)
	}
	if !d.Acknowledged() {
		t.Error("not all have been told")
	}
}
