// Package secure has clients and replicas prove to each other who they are, and encrypts what they say: TLS 1.3 with certificates
// on both sides, by crypto/tls. Like wire above it, both halves of the project use it, for two implementations of who may come in would
// be twice the doors; unlike wire it has sockets, files and goroutines.
//
// # Who is who
//
// A certificate names its holder by a URI, as SPIFFE does: paxosbench://replica/2 or paxosbench://client/NAME. Host names say
// nothing: replicas are known by their ids, wherever they run, and a certificate for host1 would let any program there be one.
// One authority stands for one cluster.
//
// # Where it runs
//
// Event loops read and write plain sockets. For each secured connection a Carrier copies between the TLS connection and one end of
// a pair of sockets, on goroutines of its own; a loop has the other end and knows no difference. So a plain connection costs
// nothing, and a secured one is encrypted on whichever processor is idle, in pieces as large as what is waiting.
package secure
