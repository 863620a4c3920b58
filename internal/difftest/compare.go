package difftest

import (
	"fmt"

	"afunix"
)

// A Difference is where two runs of a program parted.
type Difference struct {
	Program   Program // up to and with the operation
	Reference Result  // of that operation, on the kernel transport
	Result    Result  // on Transport
	Transport afunix.Transport
}

// String shows both results, and the program.
func (d *Difference) String() string {
	return fmt.Sprintf("the last operation differs\nkernel: %v\n%v:   %v\n%v", d.Reference,
		d.Transport, d.Result, d.Program)
}

// Compare runs the program on the kernel transport and then on another. It returns where they
// differ, or nil.
func (t *Tester) Compare(p Program, tr afunix.Transport) (*Difference, error) {
	ref, err := t.begin(afunix.KernelTransport, nil)
	if err != nil {
		return nil, err
	}
	for _, op := range p {
		ref.do(op)
	}
	return t.replay(ref, tr)
}

// replay runs the reference's program on a transport.
func (t *Tester) replay(ref *run, tr afunix.Transport) (*Difference, error) {
	if n := len(ref.ops); n == 0 || ref.ops[n-1].Kind != Done {
		if res := ref.do(Op{Kind: Done}); res.Detail != "" {
			return nil, fmt.Errorf("the reference: %s\n%v", res.Detail, ref.ops)
		}
	}
	r, err := t.begin(tr, ref)
	if err != nil {
		return nil, err
	}
	var found *Difference
	var before past
	for i, op := range ref.ops {
		res := r.do(op)
		want := ref.results[i]
		before.add(op)
		if tr == afunix.PipeTransport && before.beyond(op, want) != "" {
			r.done()
			break
		}
		if equal(want, res) || tr == afunix.PipeTransport && allowed(op, want, res, &r.empty) != "" {
			continue
		}
		found = &Difference{ref.ops[:i+1], want, res, tr}
		if op.Kind != Done {
			r.done()
		}
		break
	}
	return found, nil
}
