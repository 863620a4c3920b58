package difftest

import (
	"slices"
	"time"
)

// shrinkTime bounds how long a difference is shrunk.
const shrinkTime = 30 * time.Second

// shrink looks for a shorter program with smaller numbers that differs at the same kind of
// operation. What does not differ again is returned as it is: a rare difference is one, too.
func (t *Tester) shrink(d *Difference) *Difference {
	want := d.signature()
	give := time.Now().Add(shrinkTime)
	try := func(p Program) bool {
		if time.Now().After(give) {
			return false
		}
		again, err := t.Compare(p, d.Transport)
		if err != nil || again == nil || again.signature() != want {
			return false
		}
		d = again
		return true
	}
	for size := len(d.Program) / 2; size > 0; {
		removed := false
		for at := 0; at+size <= len(d.Program)-1; {
			if try(slices.Delete(slices.Clone(d.Program), at, at+size)) {
				removed = true
			} else {
				at += size
			}
		}
		if !removed || size > 1 {
			size /= 2
		}
	}
	for i := 0; i < len(d.Program); i++ {
		for _, simple := range simpler(d.Program[i]) {
			p := slices.Clone(d.Program)
			p[i] = simple
			try(p)
			if i >= len(d.Program) {
				break
			}
		}
	}
	return d
}

// A signature is what two differences have in common that are most likely one.
type signature struct {
	kind                        Kind
	kernel, other               Failure
	data, rights, creds, detail bool
}

func (d *Difference) signature() signature {
	a, b := d.Reference, d.Result
	return signature{
		kind:   d.Program[len(d.Program)-1].Kind,
		kernel: Failure{What: a.Err.What, Shape: a.Err.Shape, Call: a.Err.Call},
		other:  Failure{What: b.Err.What, Shape: b.Err.Shape, Call: b.Err.Call},
		data:   a.N != b.N || a.Data != b.Data || a.Truncated != b.Truncated,
		rights: !slices.Equal(a.Rights, b.Rights),
		creds:  a.Creds != b.Creds,
		detail: a.Detail != b.Detail,
	}
}

// simpler returns op with smaller numbers, the smallest last.
func simpler(op Op) (list []Op) {
	add := func(f func(*Op)) {
		o := op
		if f(&o); o != op {
			list = append(list, o)
		}
	}
	add(func(o *Op) { o.Proc = 0 })
	add(func(o *Op) { o.N = min(o.N, 10) })
	add(func(o *Op) { o.N = min(o.N, 1) })
	add(func(o *Op) { o.Files = min(o.Files, 1) })
	add(func(o *Op) { o.Files = 0 })
	add(func(o *Op) { o.Name2 = "" })
	return list
}
