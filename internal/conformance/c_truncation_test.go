package conformance

import (
	"errors"
	"fmt"
	"os"
	"testing"

	"afunix"
)

const oneBuffer = "control buffers are made by the library, with room for all descriptors"

func TestRow038(t *testing.T) { notObservable(t, oneBuffer) }
func TestRow039(t *testing.T) { notObservable(t, oneBuffer) }
func TestRow040(t *testing.T) { notObservable(t, oneBuffer) }

func init() { children["receive without room"] = receiveWithoutRoom }

// The API closes what could be installed, too, and says so by an error beside the data.
func TestRow042(t *testing.T) {
	eachPassing(t, "s", func(e *env) {
		if !limitsDescriptors {
			e.Skip("this system has no limit that could be reached")
		}
		path := e.path()
		l := e.listen(path)
		child := e.start(e.child("receive without room", path))
		c := e.accept(l)
		e.recv(c, 9, "ready", 0)
		w := e.witness()
		e.send(c, "three", w.w, w.w, w.w)
		e.recv(c, 9, "truncated", 0)
		w.released()
		child.end(e)
	})
}

// receiveWithoutRoom has room for one descriptor and is sent three.
func receiveWithoutRoom(e childEnv) error {
	c, err := e.dial()
	if err != nil {
		return err
	}
	defer c.Close()
	free, err := exhaustDescriptors()
	if err != nil {
		return err
	}
	if _, err := c.Write([]byte("ready")); err != nil {
		return err
	}
	m, err := c.ReadMsg(make([]byte, 9))
	free()
	if !errors.Is(err, afunix.ErrRightsTruncated) || string(m.Data) != "three" || m.Rights.Len() != 0 {
		return fmt.Errorf("%q with %d descriptors, %v", m.Data, m.Rights.Len(), err)
	}
	if _, err := c.Write([]byte("truncated")); err != nil {
		return err
	}
	_, err = os.Stdin.Read(make([]byte, 1))
	if err != nil && err.Error() == "EOF" {
		err = nil
	}
	return err
}
