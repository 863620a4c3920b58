// Package upgrade restarts a server without dropping a connection.
package upgrade
