package endpoint_test

import (
	"slices"
	"testing"

	"afunix/internal/descriptor"
	"afunix/internal/sock"
	"afunix/internal/wire"
)

// Records that lie: rights.Adopt. Nothing is taken that was not agreed on, or is not what it is
// said to be; and if anything of a message is wrong, all of it is closed.

// lie changes a record of what the enemy has, and sends three of it.
func lie(change func(r *wire.Record)) func(*enemy) {
	return func(e *enemy) {
		r := e.own()
		change(&r)
		e.packet(withRecords(1, 3, r))
	}
}

var recordsThatLie = map[string]attack{
	"a kind that does not exist":            {says: "record 0: bad record: kind 200", do: lie(func(r *wire.Record) { r.Kind = 200 })},
	"a kind that lies":                      {says: "record 0: bad record: something else than kind 11", do: lie(func(r *wire.Record) { r.Kind = uint8(descriptor.Process) })},
	"an owner that does not exist":          {says: "malformed packet: record with owner 4", do: lie(func(r *wire.Record) { r.Owner = 4 })},
	"a value of ours":                       {says: "record 0: bad record: owner 1, which was not agreed", do: lie(func(r *wire.Record) { r.Owner = wire.Receiver })},
	"a descriptor that is not open":         {says: "bad record 0: …", do: lie(func(r *wire.Record) { r.Value = 1 << 30 })},
	"a value of 2³¹":                        {says: "bad record 0: …", do: lie(func(r *wire.Record) { r.Value = 1 << 31 })},
	"a value of 2³² and one that is open":   {says: "bad record 0: …", do: lie(func(r *wire.Record) { r.Value |= 1 << 32 })},
	"a value with a sign":                   {says: "bad record 0: …", do: lie(func(r *wire.Record) { r.Value |= 1 << 63 })},
	"this process, by its pseudo-handle":    {says: "bad record 0: …", do: lie(func(r *wire.Record) { r.Value = 1<<64 - 1 })},
	"this process, in 32 bits":              {says: "bad record 0: …", do: lie(func(r *wire.Record) { r.Value = 1<<32 - 1 })},
	"this thread, by its pseudo-handle":     {says: "bad record 0: …", do: lie(func(r *wire.Record) { r.Value = 1<<64 - 2 })},
	"a token, by its pseudo-handle":         {says: "bad record 0: …", do: lie(func(r *wire.Record) { r.Value = 1<<64 - 4 })},
	"an exported file":                      {says: "record 0: bad record: owner 2 of kind 1", do: exported(descriptor.File, 20)},
	"an exported socket":                    {says: "…", do: exported(descriptor.Stream, wire.MaxExtra)},
	"a description that is too long":        {says: "malformed packet: record with 117 further bytes", do: exported(descriptor.Stream, wire.MaxExtra+1)},
	"a description of what is not exported": {says: "malformed packet: record with owner 0 and 4 further bytes", do: lie(func(r *wire.Record) { r.Extra = make([]byte, 4) })},
	"a good descriptor before a bad one": {says: "bad record 1: …", do: func(e *enemy) {
		r := e.own()
		p := withRecords(1, 1, r)
		r.Value = 1 << 30
		p.Ancillary = slices.Concat(p.Ancillary, r.Append(nil), e.own().Append(nil))
		p.Records = 3
		e.packet(p)
	}},
}

func exported(k descriptor.Kind, extra int) func(*enemy) {
	return func(e *enemy) {
		e.packet(withRecords(1, 1, wire.Record{Kind: uint8(k), Owner: wire.Exported, Extra: make([]byte, extra)}))
	}
}

func TestP7RecordsThatLieToAConnection(t *testing.T) { assail(t, on(sock.Stream, recordsThatLie)) }
