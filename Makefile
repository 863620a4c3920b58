# make run        build, and run the demonstration
# make test       everything: vet, staticcheck, the tests with the race detector, the Windows tests on Wine
# make bench      measure against the kernel, package net, a bare pipe and (on Wine) go-winio; minutes
# make conformance  hold every transport against Linux, row by row, and write docs/CONFORMANCE.md
# make diff       random programs on kernel and pipes, compared; N=1000000 operations, SEED=… repeats a run
# make restart    restart the example server RESTARTS times under load, on this system and on Wine; minutes
# make compat     the test suites of published modules with their imports changed, and docs/COMPATIBILITY.md; 15 minutes
# make sim        the engine under simulated faults: N=… random worlds from FROM=… on, or SEED=… again, with its trace
# make mutants    break the engine on purpose, and see that the simulator notices
# make soak       processes that are killed, suspended, out of descriptors …, for DURATION=10m on each of SYSTEMS="linux wine"
# make kernels    make run and make test under other Linux kernels, KERNELS="6.1 6.12 7.2", by qemu; half an hour each
# make relay      a thousand connections through the relay, beside socat, and ssh-add to an agent on Wine
# make fuzz       fuzz the decoders and the engine; FUZZTIME=20m sets how long for each target, FUZZ=Peer which ones

FUZZTIME ?= 1m
FUZZ ?= .
N ?= 1000000
SEED ?= 0
RESTARTS ?= 100
FROM ?= 0
DURATION ?= 10m
SYSTEMS ?=
KERNELS ?= 6.1 6.12 7.2

.PHONY: run test bench conformance diff sim mutants restart compat soak kernels fuzz relay

run:
	go build -C cmd/afunix -o ../..
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
	go run -C bench ./cmd/afunix-restart -restarts $(RESTARTS)
	scripts/wine-setup && go run -C bench ./cmd/afunix-restart -restarts $(RESTARTS) -os windows

compat:
	compat/run

sim: worlds = -long -from $(FROM) -seeds $(N)
sim:
	go test ./internal/sim -timeout 0 -v -run TestSeeds -args $(if $(filter-out 0,$(SEED)),-seed $(SEED),$(worlds))

mutants:
	go test ./internal/sim -timeout 0 -v -run TestMutants -args -mutants

soak:
	scripts/soak $(DURATION) $(SYSTEMS)

kernels:
	scripts/kernels $(KERNELS)

fuzz:
	scripts/fuzz $(FUZZTIME) "$(FUZZ)"

relay:
	go build -C cmd/afunix -o ../../.cache/
	ulimit -n $$(ulimit -Hn) && go run -C bench ./cmd/afunix-relay -afunix "$$PWD/.cache/afunix"
	scripts/wine-ssh-agent
