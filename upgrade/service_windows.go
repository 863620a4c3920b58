package upgrade

// takeActivated takes over nothing: no service manager here passes sockets.
func takeActivated() ([]*offer, error) { return nil, nil }
