// Package peers runs other consensus systems behind this project's client protocol and with its state machine, so that one generator
// measures them all with the same checks. It is in a module of its own: the main module has none of their dependencies, which
// go.mod beside this file lists.
//
// Three nodes by hand, each in a terminal of its own, with N from 1 to 3, in bench/peers:
//
//	go run ./cmd/peer --system etcdraft --id N --cluster 1=127.0.0.1:7601,2=127.0.0.1:7602,3=127.0.0.1:7603 \
//	    --client 127.0.0.1:761N --durability fsync --dir /tmp/peer-N
//
// and then, at the root of the project:
//
//	bin/loadgen run --addrs 127.0.0.1:7611,127.0.0.1:7612,127.0.0.1:7613
//
// GOGC is heeded, and with 400 in place of Go's 100 hashicorp/raft does a fourth less work for a command, the others hardly less: their makers
// leave it alone, and so does this.
//
// Package front is what they have in common. The packages dragon, hashicorp and etcdraft say in their comments how each is set up, and
// why. To add a system, implement front.Core and name it in peers.go.
package peers
