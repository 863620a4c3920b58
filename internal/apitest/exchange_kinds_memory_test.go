//go:build linux || windows

package apitest

import (
	"bytes"
	"errors"
	"io"
	"os"
	"testing"
)

func init() {
	children["idle"] = func([]string) error { _, err := io.Copy(io.Discard, os.Stdin); return err }
}

// The text that the sender puts into shared memory before it sends it, and where the receiver puts
// its own.
const (
	senderText   = "the sender was here"
	receiverText = "and so was the receiver"
	receiverPart = 40_000
)

// talkThroughMemory is the sender's side.
func talkThroughMemory(t *testing.T, p *peer, memory []byte) error {
	p.expect(t, "mapped")
	copy(memory, senderText)
	p.asks(t, "look", senderText)
	p.asks(t, "write", "written")
	if !bytes.HasPrefix(memory[receiverPart:], []byte(receiverText)) {
		return errors.New("nothing comes back")
	}
	return nil
}

// listenThroughMemory is the receiver's side.
func listenThroughMemory(k *talk, memory []byte) error {
	if err := errors.Join(k.say("mapped"), k.wait("look")); err != nil {
		return err
	}
	if err := errors.Join(k.say(string(memory[:len(senderText)])), k.wait("write")); err != nil {
		return err
	}
	copy(memory[receiverPart:], receiverText)
	return k.say("written")
}
