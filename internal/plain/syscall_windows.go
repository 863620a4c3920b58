package plain

// A call that package windows lacks; mksyscall.go makes zsyscall_windows.go of it.

//sys	getExtendedTcpTable(table *byte, size *uint32, order bool, family uint32, class uint32, reserved uint32) (ret error) = iphlpapi.GetExtendedTcpTable
