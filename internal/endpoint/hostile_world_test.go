package endpoint_test

import (
	"context"
	"sync"
	"syscall"

	"afunix/internal/descriptor"
	"afunix/internal/endpoint"
	"afunix/internal/pipe"
	"afunix/internal/simproc"
)

// A fakeSystem makes pipes and sources of what has come into a process of package simproc.
type fakeSystem struct{ p *simproc.Process }

// world is what ends need that come into p.
func world(p *simproc.Process) *endpoint.World {
	return &endpoint.World{System: fakeSystem{p}, Network: nowhere{}}
}

// A fakeEnd is what is behind a descriptor of an end of a fake pipe. It closes with the last one.
type fakeEnd struct{ pipe *fakePipe }

func (e fakeEnd) Released() { e.pipe.Close() }

// A fakePort is what is behind a descriptor of what listens.
type fakePort struct{ source *fakeSource }

func (o fakePort) Released() { o.source.Close() }

// cargo makes an end, or what listens, of the client's.
func (r *rig) cargo(k descriptor.Kind) cargo {
	var o simproc.Object = fakePort{newFakeSource()}
	if k == descriptor.Unix {
		s, _ := newFakePipe(kinship{opens, 0, false}, r.serverProc, r.clientProc)
		o = fakeEnd{s}
	}
	v, err := r.clientProc.OpenObject(descriptor.EndKind(k), o)
	if err != nil {
		r.t.Fatal(err)
	}
	r.files[r.clientProc] = append(r.files[r.clientProc], v)
	return cargo{values: []uint64{uint64(v)}}
}

func (s fakeSystem) OpenPipe(v uintptr, _ bool) (pipe.Pipe, error) {
	if f := s.p.Refers(v); f != nil {
		if e, ok := f.Object().(fakeEnd); ok {
			return &fakeMoved{fakePipe: e.pipe, close: s.closer(v)}, nil
		}
	}
	s.p.Close(v, descriptor.EndKind(descriptor.Unix))
	return nil, syscall.EPROTO
}

func (s fakeSystem) OpenSource(descriptors []uintptr, _ []byte) (pipe.Source, error) {
	if f := s.p.Refers(descriptors[0]); f != nil && len(descriptors) == 1 {
		if o, ok := f.Object().(fakePort); ok {
			return &fakeMovedSource{fakeSource: o.source, close: s.closer(descriptors[0])}, nil
		}
	}
	for _, v := range descriptors {
		s.p.Close(v, descriptor.EndKind(descriptor.UnixListener))
	}
	return nil, syscall.EPROTO
}

// closer returns what closes v once.
func (s fakeSystem) closer(v uintptr) func() {
	return sync.OnceFunc(func() { s.p.Close(v, descriptor.EndKind(descriptor.Unix)) })
}

// A fakeMoved is an end of a fake pipe with a descriptor of its own.
type fakeMoved struct {
	*fakePipe
	close func()
}

func (p *fakeMoved) Close() error {
	p.close()
	return p.fakePipe.Close()
}

// A fakeMovedSource is a source with a descriptor of its own.
type fakeMovedSource struct {
	*fakeSource
	close func()
}

func (s *fakeMovedSource) Close() error {
	s.close()
	return s.fakeSource.Close()
}

// nowhere is a Network without names.
type nowhere struct{}

func (nowhere) Find(string) (pipe.Place, error) { return pipe.Place{}, syscall.ENOENT }

func (nowhere) Dial(context.Context, string) (pipe.Pipe, error) { return nil, syscall.ENOENT }

func (nowhere) Listen(string) (pipe.Source, string, error) { return nil, "", syscall.EACCES }
