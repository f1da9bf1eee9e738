package history

import (
	"errors"
	"fmt"

	"github.com/fabricscope/fabricscope/controlplane/history/directory"
)

// Errors that callers tell apart with errors.Is.
var (
	// ErrBeforeRetention: the moment asked for is older than what is kept.
	ErrBeforeRetention = errors.New("before the retained history")
	// ErrNotStored: the moment asked for, or the flush, is affected by changes that could
	// not be written.
	ErrNotStored = errors.New("not stored")
	// ErrClosed: the store or the feed is closed.
	ErrClosed = errors.New("closed")
	// ErrNewerSchema: the file was written by a newer version of Fabricscope.
	ErrNewerSchema = errors.New("written by a newer version")
	// ErrCorrupt: the file is damaged or no history of Fabricscope.
	ErrCorrupt = errors.New("damaged, or not a history")
	// ErrInUse: another process has the directory open.
	ErrInUse = directory.ErrInUse
)

// errForeign is ErrCorrupt of a file that is somebody else's, which is left alone.
var errForeign = fmt.Errorf("%w", ErrCorrupt)
