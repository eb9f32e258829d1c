package journal

// What tests outside the package need to know of the format, to damage it in chosen places.
const (
	RecordHeaderSize  = recordHeaderSize
	SegmentHeaderSize = segmentHeaderSize
	ScanBytes         = scanBytes
)

// RecordSize returns the encoded length of a record.
func RecordSize(bodyLen int) int { return recordSize(bodyLen) }

// SegmentPath names a segment file.
func SegmentPath(dir string, number uint32) string { return segmentPath(dir, number) }
