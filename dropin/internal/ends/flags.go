package ends

// Flags of sendmsg and recvmsg, with the values of Linux (bits/socket.h).
const (
	MsgOob         = 0x1
	MsgPeek        = 0x2
	MsgCtrunc      = 0x8
	MsgTrunc       = 0x20
	MsgDontwait    = 0x40
	MsgWaitall     = 0x100
	MsgCmsgCloexec = 0x40000000
)
