package records

import (
	"errors"

	"github.com/fabricscope/fabricscope/controlplane/history/directory"
)

// Errors of this package, to be told apart with errors.Is.
var (
	// ErrInUse means that another process has the directory open.
	ErrInUse = directory.ErrInUse
	// ErrCorrupt means that a file is damaged or not of this format; the error names it.
	ErrCorrupt = errors.New("damaged or not of this format")
	// ErrNotStored means that a batch is not on disk, and is not going to be.
	ErrNotStored = errors.New("not stored")
	// ErrClosed means that the store has ended.
	ErrClosed = errors.New("store is closed")
)
