//go:build linux || windows

package bench

import (
	"testing"

	"afunix/internal/testenv"
)

// A message that fits in a packet goes as one, and descriptors are acknowledged once.
func TestMessageThatFitsIsOnePacket(t *testing.T) {
	for _, w := range Workloads {
		if w.Bytes > 0 {
			continue // larger than a packet
		}
		t.Run(w.Name, func(t *testing.T) {
			if w.Passed > 0 {
				testenv.NeedPipeRights(t)
			}
			sender, receiver, err := CountPackets(w, 20)
			if err != nil {
				t.Fatal(err)
			}
			acks := 0.0
			if w.Passed > 0 {
				acks = 1
			}
			if sender.Data != 1 || receiver.Ack != acks || sender.Other != 0 || receiver.Other != 0 {
				t.Errorf("sender %+v, receiver %+v; want 1 data packet and %v acknowledgements", sender, receiver, acks)
			}
		})
	}
}
