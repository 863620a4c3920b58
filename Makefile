# make run        build, and run the demonstration
# make test       everything: vet, staticcheck, the tests with the race detector, the Windows tests on Wine
# make bench      measure against the kernel, package net, a bare pipe and (on Wine) go-winio; minutes
# make fuzz       fuzz the decoder and the engine; FUZZTIME=20m sets how long for each target

FUZZTIME ?= 1m

.PHONY: run test bench fuzz

run:
	go build -o afunix ./cmd/afunix
	./afunix demo

test:
	scripts/test

bench:
	bench/run

fuzz:
	scripts/fuzz $(FUZZTIME)
