//go:build afunix_pipe

package net

import "afunix"

const dialTransport = afunix.PipeTransport
