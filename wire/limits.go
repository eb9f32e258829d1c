package wire

// Limits that every decoder enforces before it allocates or waits for anything. Sizes are bytes.
const (
	// MaxReplicas is the largest cluster. Vote sets are 8-bit masks, so it may not exceed 8.
	MaxReplicas = 7

	// MaxKey is the longest key (the length travels in 16 bits).
	MaxKey = 1<<16 - 1

	// MaxValue is the longest value.
	MaxValue = 1 << 20

	// MaxCommand is the largest encoded command.
	MaxCommand = CommandHeaderSize + MaxKey + MaxValue

	// MaxRunCommands bounds the commands of one run.
	MaxRunCommands = 1 << 16

	// MaxBatch is the largest batch body: one command of the largest size must fit, and so must a useful number
	// of small ones.
	MaxBatch = 4 << 20

	// MaxBody is the largest frame body of any type. A chunk of catch-up must be able to carry the largest batch.
	MaxBody = MaxBatch + 1<<20

	// MaxSlot is beyond all that a log comes to, and far enough from the end of the numbers to count on from it.
	MaxSlot Slot = 1 << 62

	// MaxText bounds human-readable text and addresses inside frames.
	MaxText = 1 << 10

	// MaxSessionWindow bounds how far a session's newest command may be ahead of the newest reply that its client
	// has confirmed. It bounds the replies a replica must remember for a session.
	MaxSessionWindow = 1 << 16
)

// A batch must be able to hold the largest command with its run header, and a catch-up chunk the largest batch.
const (
	_ uint = MaxBatch - (RunHeaderSize + MaxCommand)
	_ uint = MaxBody - (EntryHeaderSize + MaxBatch)
	_ uint = 8 - MaxReplicas
)
