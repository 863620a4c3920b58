package endpoint

import (
	"afunix/internal/cred"
	"afunix/internal/pipe"
	"afunix/internal/rights"
)

// A peer is what a session knows of its other end: the socket, and the processes that have had it.
type peer struct {
	id      uint64             // tells the socket from others
	writers []cred.Credentials // the processes that have had it, the last one now: segments have their numbers, from 1
	alleged bool               // the last of them has not said hello to this process
	opener  cred.Credentials   // the one that had it when the connection was made: SO_PEERCRED
	can     pipe.Ability       // ours over the process
	to      rights.Route       // how descriptors travel to it
	from    rights.Route       // … and from there
	pass    bool               // it wants credentials with messages: SO_PASSCRED
	name    string             // that it has chosen (row 75)
	hearing hearing
	naming  bool // it has a reason to choose one, and that may be in the pipe
}

// A hearing is what may still be heard of the peer.
type hearing uint8

const (
	anything hearing = iota
	goodbye          // has been heard: it looks at nothing any more
	nothing          // … of what is under way
)

// parts notes that the peer has said goodbye.
func (p *peer) parts() { p.hearing = goodbye }

// silence notes that nothing more will be heard, be it a goodbye.
func (p *peer) silence() {
	if p.hearing == anything {
		p.hearing = nothing
	}
}

// meet notes who is at the other end of a new connection, and what this side can do to it.
func (p *peer) meet(who cred.Credentials, can pipe.Ability) {
	p.writers = append(p.writers, who)
	p.opener, p.can = who, can
}

// elect notes how descriptors travel. What a side can do is over the other. isServer says that this
// is the server's side.
func (p *peer) elect(isServer bool, server, client pipe.Ability) {
	toClient, toServer := rights.Elect(true, server, client), rights.Elect(false, server, client)
	p.to, p.from = toServer, toClient
	if isServer {
		p.to, p.from = toClient, toServer
	}
}

// options notes what the peer's packet of options says of it.
func (p *peer) options(pass bool) {
	p.pass = pass
	p.naming = pass && p.name == ""
}

// now is the number of the process that has it now.
func (p *peer) now() uint32 { return uint32(len(p.writers)) }

// writer returns the credentials with this number; nobody's for 0.
func (p *peer) writer(n uint32) *cred.Credentials {
	who := nobody
	if 0 < n && int(n) <= len(p.writers) {
		who = p.writers[n-1]
	}
	return &who
}

// nobody is what Linux says of a message that was sent before anybody asked for credentials (row
// 66).
var nobody = cred.Credentials{UID: 65534, GID: 65534}

// current is the process that has the other end of c now, as the system says.
func (c *session) current() cred.Credentials {
	c.mu.Lock()
	defer c.mu.Unlock()
	return *c.peer.writer(c.peer.now())
}

// agree notes how descriptors travel, and that they may. What a side can do is over the other.
func (c *session) agree(server, client pipe.Ability) {
	c.peer.elect(c.server, server, client)
	c.moves.Agree()
}

// ability is what this side could do to the peer so far.
func (c *session) ability() pipe.Ability {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.peer.can
}
