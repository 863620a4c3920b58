package bench

// A Tally is how many packets one end put into its pipe, for each message.
type Tally struct {
	Data   float64 // with bytes of the user's
	Credit float64 // what the peer may send
	Ack    float64 // descriptors have arrived
	Other  float64 // the rest: hello, options, shutdown, …
	Full   float64 // writes that the pipe had no room for
	Bytes  float64 // on the wire, all packets
}
