// Package wire is the binary format that clients and replicas speak: frames, handshakes, runs of commands and of
// replies, and the messages of the protocol. docs/wire.md has it as offset tables.
//
// Encoders append to the caller's slice and never keep it. Decoders return views into the bytes they are given, valid as
// long as those are; they check every length and count before they act on it, and allocate nothing by what they read.
//
// A batch is encoded once: the body of an Accept is what the journal stores, the log holds and the state machine reads.
//
// Reading order: frame.go (the prefix that every frame has), hello.go (handshakes), run.go and reply.go (commands and
// their results), message.go (what replicas say to each other).
package wire
