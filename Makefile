# What people try first, by name. The work is done by .ci/run and scripts/.

.PHONY: build check test bench clean

build: # the programs, into bin/
	bash -c 'source scripts/lib.sh && build'

check: # the gate that every change passes
	bash .ci/run

test:
	go test ./...

bench: # three replicas under load for five seconds, and a summary
	scripts/quickstart.sh

clean: # everything that can be made again but results/, which may be yours
	[ ! -x bin/bench ] || scripts/cluster.sh clean
	rm -rf bin
