package net_test

import "syscall"

const soType = syscall.SO_TYPE
