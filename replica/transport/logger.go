package transport

import (
	"fmt"
	"log/slog"
)

// gnetLogger passes gnet's messages on to slog, so that stdout and stderr stay the program's. What gnet calls info
// is detail here.
type gnetLogger struct{ log *slog.Logger }

// Debugf implements gnet's logging.Logger.
func (l gnetLogger) Debugf(format string, args ...any) {
	l.log.Debug("gnet: " + fmt.Sprintf(format, args...))
}

// Infof implements gnet's logging.Logger.
func (l gnetLogger) Infof(format string, args ...any) {
	l.log.Debug("gnet: " + fmt.Sprintf(format, args...))
}

// Warnf implements gnet's logging.Logger.
func (l gnetLogger) Warnf(format string, args ...any) {
	l.log.Warn("gnet: " + fmt.Sprintf(format, args...))
}

// Errorf implements gnet's logging.Logger.
func (l gnetLogger) Errorf(format string, args ...any) {
	l.log.Error("gnet: " + fmt.Sprintf(format, args...))
}

// Fatalf implements gnet's logging.Logger. Nothing in gnet calls it on Linux; its contract is not to return.
func (l gnetLogger) Fatalf(format string, args ...any) {
	panic("BUG: gnet: " + fmt.Sprintf(format, args...))
}
