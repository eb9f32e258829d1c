// Package client lets any Go program use a cluster of replicas: a key-value store whose operations are linearizable, take effect once,
// and survive the loss of the leader.
//
//	c, err := client.Dial(ctx, client.Config{Addrs: []string{"10.0.0.1:7001", "10.0.0.2:7001", "10.0.0.3:7001"}})
//	..
//	err = c.Put(ctx, []byte("key"), []byte("value"))
//
// All methods of a Client may be called from any goroutine. Those with the name of an operation wait for its outcome; Submit does not,
// and so has many under way. A Client is one session on one connection to whichever replica leads: it finds the leader, follows it when it
// changes, and sends again what may have been lost, which the session's numbers keep from taking effect twice. Whoever wants more
// connections dials more clients.
//
// # Order
//
// Operations take effect in the order in which they were submitted, in particular those of one goroutine. Where the cluster is configured
// to answer gets without its log (by lease or by index), a get sees every operation whose outcome was known when it was submitted, and
// perhaps later ones, but need not see those that were under way. A client that was dialled before the cluster was configured otherwise in
// this finds no leader any more, and says so: dial again.
//
// # Contexts
//
// The end of a context ends the waiting, at once. What was not sent by then never takes effect. What was sent may, also later: the error is
// ErrUnknownOutcome then (and context.DeadlineExceeded or context.Canceled), unless it was a get.
//
// # Errors
//
// Outcomes: ErrNotFound, ErrMismatch and ErrFull, of commands that were executed. Before anything is sent: ErrTooLarge, ErrInvalid; no other
// operation notices. ErrUnknownOutcome, if nobody can say any more whether the operation took effect. ErrClosed, and ErrNoLeader beside that
// of a context, if there was no leader to send anything to. Ask with errors.Is; more than one may hold.
//
// # Slices
//
// Keys and values are copied before Submit or an operation returns, or waits: they are the caller's own again. So are values returned.
package client
