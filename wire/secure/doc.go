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
// The handshake, which takes milliseconds of computing and waits for the other side, has a goroutine of its own, one at a time of all
// that compute. The records behind it are the event loop's: Conn.Part gives it the socket, which it reads and writes as one that is
// plain, and Records, which encrypts and decrypts between two slices. The loop can do that itself because it is the cheaper part:
// AES-GCM takes about a third of a nanosecond a byte, and to hand bytes over to another goroutine takes system calls and wake-ups,
// which cost two processors that are shared by four processes half of what they can do (docs/performance.md).
//
// What crypto/tls reads from and writes to is memory then. That it keeps its state where there is nothing to read, if the error is a
// net.Error that is temporary, is documented for deadlines only; TestWaitsForARecord holds it.
package secure
