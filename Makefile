# Fabricscope. `make lab` runs the whole thing; `make test` proves it. Both install what they
# need (Debian packages) as root.

SHELL := /bin/bash
PACKAGES := mininet iputils-ping tcpdump tshark etcd-server iproute2 nftables iptables conntrack ethtool procps libyang2-tools g++
GO_PACKAGES := ./...
SWITCH ?= $(CURDIR)/build/softswitch

.DEFAULT_GOAL := help
.PHONY: help deps build kubernetes p4 models lab lab-check verify-flows verify-bmv2 test unit lint conformance conformance-programs diff-bmv2 bench bench-program bench-switch bench-loss bench-track yang-bundle bench-gnmi restarts bench-history bench-kube clean

help: ## show the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "%-20s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

deps: ## install the Debian packages that the lab and the tests use
	@command -v go >/dev/null || { echo "Go 1.26 is needed: https://go.dev/dl" >&2; exit 1; }
	@missing=$$(for p in $(PACKAGES); do dpkg-query -W -f '$${Status}\n' $$p 2>/dev/null | grep -q 'ok installed' || echo $$p; done); \
	if [ -n "$$missing" ]; then \
		echo "==> install" $$missing; \
		apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $$missing; \
	fi

build: ## compile the commands into build/
	@echo "==> compile the commands"
	go build -o build/ ./cmd/...

kubernetes: build ## compile Kubernetes from its Go module (minutes, once a machine)
	@build/fabriclab kubernetes

p4: ## compile the P4 program with p4c-bm2-ss
	cd p4src && p4c-bm2-ss --std p4-16 --p4runtime-files gen/fabricscope.p4info.txtpb -o gen/fabricscope.json fabricscope.p4
	cd p4src && sha256sum *.p4 > gen/sources.sha256

models: ## generate the Go bindings and the documentation of the YANG modules
	go run ./models/generate
	go run ./models/generate -docs docs/models

yang-bundle: ## the YANG modules with all that they import, for gnmic and other tools, in build/yang
	go run ./models/generate -bundle build/yang

lab: deps build kubernetes ## run the lab: fabric, cluster, traffic, answers, prompt
	@build/fabriclab lab --switch "$(SWITCH)"

lab-check: deps build kubernetes ## the lab without a terminal: traffic, then checks against tshark, kubectl and gnmic
	@build/fabriclab check --switch "$(SWITCH)"

verify-flows: deps build ## captures of every kind of traffic, crafted and of kernels, counted by the switch and by tshark (root)
	rm -rf build/traffic
	build/fabriclab traffic build/traffic
	build/fabriclab stacks build/traffic
	build/fabriclab verify --switch "$(SWITCH)" build/traffic/*.pcap

verify-bmv2: deps build kubernetes ## all that checks the accounting, on simple_switch_grpc: SWITCH=FILE [FLOWS=n] [CHECKS="NAME..."] (root)
	go build -o build/conformance ./bmv2-lab/conformance/run
	go build -o build/ ./bmv2-lab/bmv2check
	build/bmv2check -switch "$(if $(filter $(CURDIR)/build/softswitch,$(SWITCH)),simple_switch_grpc,$(SWITCH))" $(if $(FLOWS),-flows $(FLOWS)) $(CHECKS)

lint: ## gofmt and vet
	@bad=$$(gofmt -l $$(git ls-files '*.go')); if [ -n "$$bad" ]; then echo "gofmt would change:" $$bad >&2; exit 1; fi
	go vet $(GO_PACKAGES)

unit: deps build kubernetes ## the Go tests
	go test $(GO_PACKAGES)

test: unit lint conformance verify-flows lab-check ## everything that proves it
	@echo "==> all tests passed"

conformance: build ## small P4 programs on softswitch and, if it is there, simple_switch_grpc, on veths (root)
	go build -o build/conformance ./bmv2-lab/conformance/run
	build/conformance -softswitch "$(SWITCH)" $(CASES)

conformance-programs: ## compile the programs of the conformance cases with p4c-bm2-ss
	cd bmv2-lab/conformance/programs && for f in $$(ls *.p4 | grep -v '^frame.p4$$'); do \
		p4c-bm2-ss --std p4-16 --p4runtime-files $${f%.p4}.p4info.txtpb -o $${f%.p4}.json $$f || exit 1; done
	cd bmv2-lab/conformance/programs && sha256sum *.p4 > sources.sha256

bench-program: ## compile the program of bench-switch's tables with p4c-bm2-ss
	cd bmv2-lab/switchbench && p4c-bm2-ss --std p4-16 --p4runtime-files tables.p4info.txtpb -o tables.json tables.p4

diff-bmv2: build ## random entries and packets through softswitch and simple_switch_grpc: PROGRAM=FILE.p4|.json [N=packets] [ENTRIES=n] [SEED=n] (root)
	go build -o build/ ./bmv2-lab/diffbmv2
	build/diffbmv2 -softswitch "$(SWITCH)" $(if $(N),-n $(N)) $(if $(ENTRIES),-entries $(ENTRIES)) $(if $(SEED),-seed $(SEED)) $(PROGRAM)

restarts: build ## the accounting across failures, with a switch between veths (root): [SWITCH=...] [SEED=n] [STEPS=n] [OUTAGE=seconds]
	RESTARTS_SWITCH="$(SWITCH)" RESTARTS_SEED=$(SEED) RESTARTS_STEPS=$(STEPS) RESTARTS_OUTAGE=$(OUTAGE) go test -count 1 -v -timeout 60m ./bmv2-lab/restarts

bench: ## the benchmarks
	go test -run '^$$' -bench . -benchmem $(GO_PACKAGES)

bench-switch: build ## softswitch against a plain forwarder and simple_switch_grpc, on veths (root)
	go build -o build/ ./bmv2-lab/switchbench
	@echo "==> the wire"
	build/switchbench -softswitch "$(SWITCH)" $(BENCH_SWITCH)
	@echo "==> the engine alone, and its tables as they grow"
	go test -run '^$$' -bench 'OurProgram|Tables' -benchmem -count 3 ./bmv2-lab/softswitch/engine

bench-loss: ## every cable of a fabric loses 1% in turn, at 20, 100 and 500 packets/s a conversation: who names it, and when
	go test -count 1 -v -run TestLocalisation ./bmv2-lab/lossbench -all

bench-track: ## the controller's ingest on one processor, with a million live flows
	@mkdir -p build
	go build -o build/ ./bmv2-lab/trackbench
	build/trackbench $(BENCH_TRACK)

bench-gnmi: ## the gNMI server with 150,000 pods and 1,000 subscribers, each number beside its aim
	go build -o build/ ./controlplane/publish/gnmi/gnmibench
	build/gnmibench $(BENCH_GNMI)

bench-history: bench-kube ## the cluster of bench-kube; flow records and intervals: written, found, and their size [BENCH_RECORDS=50000000 BENCH_INTERVALS=100000000; as close in less time: BENCH_INTERVALS=10000000 BENCH_SPAN=72h]
	go build -o build/ ./controlplane/history/historybench
	build/historybench $(if $(BENCH_RECORDS),-records $(BENCH_RECORDS)) $(if $(BENCH_INTERVALS),-intervals $(BENCH_INTERVALS)) $(if $(BENCH_SPAN),-span $(BENCH_SPAN)) $(if $(BENCH_DIR),-dir "$(BENCH_DIR)")

bench-kube: deps build kubernetes ## the controller against a real API server with 5,000 simulated nodes [BENCH_KUBE="-pods 15000 -nodes 500"]
	go build -C bmv2-lab/kubebench/kwok -o $(CURDIR)/build/ sigs.k8s.io/kwok/cmd/kwok
	go build -o build/ ./bmv2-lab/kubebench
	build/kubebench $(BENCH_KUBE)

clean: ## remove what was built here
	rm -rf build
