//go:build linux || windows

package bench

import (
	"encoding/binary"
	"errors"
	"io"
	"os"
)

// A handEnd passes descriptors by hand over a message pipe: their values in a message, and the
// system's call that duplicates a descriptor from process to process for each. It checks nothing,
// owns nothing and survives nothing: it is the floor for what the pipe transport does.
type handEnd struct {
	io.ReadWriteCloser
	peer neighbour // the process at the other end
	owed bool      // the peer acknowledges what was passed, and has not been heard
	buf  []byte
}

// handLimit is room for a message by hand.
const handLimit = 1 << 13

// newHandEnd exchanges process numbers with the other end. It owns pipe.
func newHandEnd(pipe io.ReadWriteCloser) (*handEnd, error) {
	e := &handEnd{ReadWriteCloser: pipe}
	if err := introduce(pipe); err != nil {
		return nil, errors.Join(err, pipe.Close())
	}
	return e, nil
}

// introduce tells the other end which process this is.
func introduce(pipe io.Writer) error {
	_, err := pipe.Write(binary.LittleEndian.AppendUint32(nil, uint32(os.Getpid())))
	return err
}

// meet opens the other end's process, once its introduction can be there.
func (e *handEnd) meet() error {
	var number [4]byte
	if _, err := io.ReadFull(e.ReadWriteCloser, number[:]); err != nil {
		return err
	}
	peer, err := openNeighbour(int(binary.LittleEndian.Uint32(number[:])))
	e.peer = peer
	return err
}

// handPair makes both ends of a connection out of the ends of a pipe of this process, which it
// owns.
func handPair(x, y io.ReadWriteCloser) (a, b End, err error) {
	first, err := newHandEnd(x)
	if err != nil {
		return nil, nil, errors.Join(err, y.Close())
	}
	second, err := newHandEnd(y)
	if err != nil {
		return nil, nil, errors.Join(err, first.Close())
	}
	if err := errors.Join(first.meet(), second.meet()); err != nil {
		return nil, nil, errors.Join(err, first.Close(), second.Close())
	}
	return first, second, nil
}

// handOne makes an end of one end of a pipe, whose other end another process has.
func handOne(pipe io.ReadWriteCloser) (End, error) {
	e, err := newHandEnd(pipe)
	if err != nil {
		return nil, err
	}
	if err := e.meet(); err != nil {
		return nil, errors.Join(err, e.Close())
	}
	return e, nil
}

func (e *handEnd) Close() error {
	if e.peer.isOpen() {
		e.peer.close()
	}
	return e.ReadWriteCloser.Close()
}

// Read reads what is not an acknowledgement.
func (e *handEnd) Read(b []byte) (int, error) {
	if err := e.settle(); err != nil {
		return 0, err
	}
	return e.ReadWriteCloser.Read(b)
}

// settle waits for the acknowledgement that is still to come. Until then the cargo must stay open.
func (e *handEnd) settle() error {
	if !e.owed {
		return nil
	}
	e.owed = false
	var b [1]byte
	_, err := e.ReadWriteCloser.Read(b[:])
	return err
}

func (e *handEnd) Pass(data []byte, cargo *Cargo) error {
	if err := e.settle(); err != nil {
		return err
	}
	e.buf = binary.LittleEndian.AppendUint16(e.buf[:0], uint16(len(cargo.values)))
	for _, v := range cargo.values {
		theirs, err := e.peer.give(v)
		if err != nil {
			return err
		}
		e.buf = binary.LittleEndian.AppendUint64(e.buf, theirs)
	}
	e.buf = append(e.buf, data...)
	_, err := e.ReadWriteCloser.Write(e.buf)
	e.owed = err == nil && acknowledges
	return err
}

func (e *handEnd) Receive(buf []byte) (int, error) {
	n, err := e.ReadWriteCloser.Read(buf[:handLimit])
	if err != nil {
		return 0, err
	}
	count := int(binary.LittleEndian.Uint16(buf))
	if n < 2+8*count {
		return 0, io.ErrUnexpectedEOF
	}
	for i := range count {
		if err := e.peer.takeAndClose(binary.LittleEndian.Uint64(buf[2+8*i:])); err != nil {
			return i, err
		}
	}
	if acknowledges {
		_, err = e.Write(oneByte)
	}
	return count, err
}
