// Package serve has tests alone: net/http and gRPC serve over listeners of package afunix, on each
// transport. It is in this module so that gRPC is no dependency of the library.
package serve
