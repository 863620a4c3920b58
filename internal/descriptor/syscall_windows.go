package descriptor

// Calls that package windows lacks; mksyscall.go makes zsyscall_windows.go of them.

//sys	ntQueryObject(handle windows.Handle, class int32, info unsafe.Pointer, size uint32, needed *uint32) (ntstatus error) = ntdll.NtQueryObject
