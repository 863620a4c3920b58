# make run        build, and run the demonstration
# make test       everything: vet, staticcheck, the tests with the race detector, the Windows tests on Wine
# make bench      measure against the kernel, package net, a bare pipe and (on Wine) go-winio; minutes
# make conformance  hold every transport against Linux, row by row, and write docs/CONFORMANCE.md
# make diff       random programs on kernel and pipes, compared; N=1000000 operations, SEED=… repeats a run
# make restart    restart the example server RESTARTS times under load, on this system and on Wine; minutes
# make compat     the test suites of published modules with their imports changed, and docs/COMPATIBILITY.md; 15 minutes
# make fuzz       fuzz the decoder and the engine; FUZZTIME=20m sets how long for each target

FUZZTIME ?= 1m
N ?= 1000000
SEED ?= 0
RESTARTS ?= 100

.PHONY: run test bench conformance diff restart compat fuzz

run:
	go build -o afunix ./cmd/afunix
	./afunix demo

test:
	scripts/test

bench:
	bench/run

conformance:
	scripts/conformance

diff:
	go test ./internal/difftest -race -timeout 0 -v -run TestPipeIsLikeKernel -args -long -ops $(N) -seed $(SEED)

restart:
	go run ./examples/restart/measure -restarts $(RESTARTS)
	scripts/wine-setup && go run ./examples/restart/measure -restarts $(RESTARTS) -os windows

compat:
	compat/run

fuzz:
	scripts/fuzz $(FUZZTIME)
