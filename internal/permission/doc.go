// Package permission says whose a socket file is, and who may connect to it. (On Windows package
// winpipe translates the same into access lists.)
package permission
