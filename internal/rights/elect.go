package rights

// A Way is how descriptors travel in one direction of a connection.
type Way uint8

// The ways.
const (
	Nobody Way = iota // no side can duplicate: EPERM
	Pull              // the receiver duplicates them out of the sender
	Push              // the sender duplicates them into the receiver
)

// Elect chooses who duplicates the descriptors that one side sends to the other (S5, P1): the server's side if it can, else the
// client's. Either side's ability is over the other. A push counts only if the receiver believes the sender, who
// otherwise could make it close descriptors of its own.
func Elect(serverSends bool, server, client Ability) Way {
	if serverSends {
		switch {
		case server&CanPush != 0 && client&Trusts != 0:
			return Push
		case client&CanPull != 0:
			return Pull
		}
		return Nobody
	}
	switch {
	case server&CanPull != 0:
		return Pull
	case client&CanPush != 0 && server&Trusts != 0:
		return Push
	}
	return Nobody
}
