// Package transport carries a replica's connections, to clients and to the other replicas, on one event loop. It is
// the only user of gnet.
//
// # What runs where
//
// Everything that touches a connection, and every call into the Handler, happens on the loop's goroutine. Around it
// stand a few goroutines that only ever hand finished things to the loop: one per listener (accept), one per peer that
// this replica dials, and with credentials one per connection that is proving who it is (proof).
//
// # One iteration
//
// epoll reports the connections that are ready; each is read once and its whole frames go to the Handler as they lie
// in the loop's buffer. Then comes the round: posted functions, Tick when it is due, Handler.Round, and then one write for each client
// that has output.
//
// The loop is gnet's, and so are connections: that they are opened and closed, and what waits to be written. gnet has no end of an iteration, so
// in one of its own the first connection posts a task, and gnet runs tasks after all ready connections have been served. That task stays, and
// iterates by itself until there is something that gnet has to see to (iteration_linux.go).
//
// On a connection that is secured the loop decrypts what it has read before anything looks at it, and encrypts what it writes (seal).
//
// # Lanes
//
// Two replicas have two connections: one for what may be long, one for the rest, so that no heartbeat waits behind bulk
// (wire.Type.Lane is the table). A peer is up, and is sent messages, while it has both; one that is lost is dialled again
// while the other stays.
//
// # Why gnet does not accept
//
// The engine is a gnet.Client: an event loop without listeners, to which connections are handed when they have been
// accepted or dialled. gnet's own acceptor takes whatever waits in the backlog, however far behind the loop is, and
// stops the engine when the process runs out of descriptors: anyone who opens connections quickly would stop the
// replica. Here a connection needs a place before it reaches the loop, so the number of descriptors has a bound.
package transport
