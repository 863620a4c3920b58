// Package linuxpipe is the message pipe of the pipe transport on Linux, and the process at its
// other end.
//
// The pipe is a SOCK_SEQPACKET socket that carries no descriptors. The process is known by the
// pidfd that the kernel itself attaches to the peer's hello (SO_PASSPIDFD and SCM_PIDFD, Linux
// 6.5). Descriptors are pulled out of that process with pidfd_getfd(2) (Linux 5.6), which needs
// what ptrace(2) needs: the same user and no privileges gained since, or CAP_SYS_PTRACE. There is
// no way to push. On older kernels data flows, and descriptors cannot be passed.
//
// A process that is out of descriptors when the hello comes gets the pidfd with a later packet.
// Descriptors that are sent to it before that are lost, as in the kernel.
package linuxpipe
