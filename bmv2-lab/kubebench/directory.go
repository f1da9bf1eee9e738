package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"github.com/fabricscope/fabricscope/bmv2-lab/cluster/process"
)

// claim makes the directory that of this run alone, and ends and removes what an earlier one left in it; of the control
// plane that does so itself. What it gives is to be called at the end.
func (s settings) claim() (release func(failed bool) error, err error) {
	if err := os.MkdirAll(s.dir, 0o755); err != nil {
		return nil, err
	}
	lock, err := os.OpenFile(filepath.Join(s.dir, "lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		lock.Close()
		return nil, fmt.Errorf("another benchmark runs in %s: %w", s.dir, err)
	}
	for name, path := range map[string]string{kwokName: s.kwok, daemonName: s.daemon} {
		if err := process.Reap(s.pidFile(name), path); err != nil {
			lock.Close()
			return nil, err
		}
	}
	if err := s.remove("state", kwokName+".log", daemonName+".log"); err != nil {
		lock.Close()
		return nil, err
	}
	return func(failed bool) error {
		defer lock.Close()
		if failed { // the logs say why
			return s.remove("state", "cluster/etcd")
		}
		return os.RemoveAll(s.dir)
	}, nil
}

func (s settings) remove(names ...string) error {
	var errs []error
	for _, name := range names {
		errs = append(errs, os.RemoveAll(filepath.Join(s.dir, name)))
	}
	return errors.Join(errs...)
}

func (s settings) pidFile(name string) string { return filepath.Join(s.dir, name+".pid") }

// launch starts a process that the next run ends if this one does not.
func (s settings) launch(spec process.Spec) (*process.Process, error) {
	p, err := process.Start(spec)
	if err != nil {
		return nil, err
	}
	if err := p.WritePID(s.pidFile(spec.Name)); err != nil {
		p.Kill()
		return nil, err
	}
	return p, nil
}
