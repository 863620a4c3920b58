package main

// idleNote says what to think of the footprint: there is no limit to hold it against.
func idleNote(float64) string {
	return "  there is no target here: the system copies a message into a buffer that the reader must have ready, so that\n" +
		"  each end that is being read holds one of 64 KiB, and each end has the handles of its overlapped operations"
}
