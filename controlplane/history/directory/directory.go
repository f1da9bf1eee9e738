// Package directory takes a directory for a store: whether it can be written, and that nobody else does.
package directory

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// ErrInUse means that another process has the directory.
var ErrInUse = errors.New("directory is in use by another process")

// Probe says, with the path, whether files may be made in a directory. That there is no room just now does not matter.
func Probe(dir string) error {
	f, err := os.CreateTemp(dir, ".probe-")
	if errors.Is(err, syscall.ENOSPC) {
		return nil
	}
	if err != nil {
		return err
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

// Lock takes a directory by a file in it, until that is closed. It fails with ErrInUse. The errors name the file.
func Lock(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o640)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		if errors.Is(err, syscall.EWOULDBLOCK) {
			err = ErrInUse
		}
		return nil, errors.Join(fmt.Errorf("lock %s: %w", path, err), f.Close())
	}
	return f, nil
}
