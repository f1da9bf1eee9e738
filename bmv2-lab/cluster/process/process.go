// Package process runs the lab's child processes: each in a process group of
// its own, its output in a log file, and dead no later than its parent.
package process

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Spec says what to run.
type Spec struct {
	Name      string   // names the process in errors
	Path      string   // the executable
	Args      []string // its arguments, without the executable's name
	Env       []string // KEY=value; nil for the parent's environment
	Directory string   // the working directory; empty for the parent's
	Log       string   // a file that stdout and stderr are appended to; empty to discard them

	// Enter, when set, runs on the operating system thread that starts the
	// process, before it does: what the thread enters (network or mount
	// namespaces) the process inherits. The thread is not used for anything
	// else, before or after.
	Enter func() error
}

// Process is a running or ended child process.
type Process struct {
	spec  Spec
	pid   int
	start time.Time
	done  chan struct{}

	released chan struct{} // closed when run returns, started or not

	mu    sync.Mutex // guards ended
	ended Exit
}

// Exit is how a process ended.
type Exit struct {
	Code     int            // exit status, or 128 + the signal
	Signal   syscall.Signal // the signal that ended it, or 0
	Finished time.Time
}

// Start starts the process. A goroutine waits for its end; it ends with the
// process.
//
// The kernel delivers the parent-death signal when the thread that made the
// child ends, so that goroutine keeps its thread until the child is gone, and
// then lets the thread end with it (it may be in another namespace by then).
func Start(spec Spec) (*Process, error) {
	process := &Process{spec: spec, done: make(chan struct{}), released: make(chan struct{})}
	started := make(chan error, 1)
	go process.run(started)
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s (%s): %w", spec.Name, spec.Path, err)
	}
	return process, nil
}

// run owns the operating system thread that starts and awaits the process.
func (p *Process) run(started chan<- error) {
	runtime.LockOSThread() // not unlocked: the thread ends with this goroutine
	if syscall.Gettid() == syscall.Getpid() {
		// The main thread cannot end, and /proc/self shows its namespaces: hold
		// it here, so that another thread takes the work.
		defer runtime.UnlockOSThread()
		go p.run(started)
		<-p.released
		return
	}
	defer close(p.released)
	command := exec.Command(p.spec.Path, p.spec.Args...)
	command.Env, command.Dir = p.spec.Env, p.spec.Directory
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if p.spec.Log != "" {
		log, err := openLog(p.spec.Log)
		if err != nil {
			started <- err
			return
		}
		defer log.Close()
		command.Stdout, command.Stderr = log, log
	}
	if p.spec.Enter != nil {
		if err := p.spec.Enter(); err != nil {
			started <- err
			return
		}
	}
	if err := command.Start(); err != nil {
		started <- err
		return
	}
	p.pid, p.start = command.Process.Pid, time.Now()
	started <- nil
	_ = command.Wait() // the exit status is read from ProcessState
	p.mu.Lock()
	p.ended = exitOf(command.ProcessState)
	p.mu.Unlock()
	_ = syscall.Kill(-p.pid, syscall.SIGKILL) // whatever the process left in its group
	close(p.done)
}

func openLog(path string) (*os.File, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, fmt.Errorf("make log directory: %w", err)
	}
	return os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
}

func exitOf(state *os.ProcessState) Exit {
	exit := Exit{Finished: time.Now(), Code: -1}
	if state == nil {
		return exit
	}
	exit.Code = state.ExitCode()
	if status, ok := state.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		exit.Signal = status.Signal()
		exit.Code = 128 + int(status.Signal())
	}
	return exit
}

// PID is the process's ID, also that of its process group.
func (p *Process) PID() int { return p.pid }

// Started is when the process started.
func (p *Process) Started() time.Time { return p.start }

// Done is closed when the process has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Exit says how the process ended; valid once Done is closed.
func (p *Process) Exit() Exit {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.ended
}

// Stop asks the process group to end with SIGTERM, kills it when it has not
// ended after grace, and returns when it has ended.
func (p *Process) Stop(grace time.Duration) {
	select {
	case <-p.done:
		return
	default:
	}
	_ = syscall.Kill(-p.pid, syscall.SIGTERM) // gone already is fine
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-p.done:
	case <-timer.C:
		_ = syscall.Kill(-p.pid, syscall.SIGKILL)
		<-p.done
	}
}

// Kill ends the process group as kill -9 does, and returns when it has ended.
func (p *Process) Kill() {
	select {
	case <-p.done:
		return
	default:
	}
	_ = syscall.Kill(-p.pid, syscall.SIGKILL) // gone already is fine
	<-p.done
}

// Err describes the end of the process with the last lines of its log, or is
// nil while it runs.
func (p *Process) Err() error {
	select {
	case <-p.done:
	default:
		return nil
	}
	exit := p.Exit()
	how := fmt.Sprintf("exit status %d", exit.Code)
	if exit.Signal != 0 {
		how = "signal: " + exit.Signal.String()
	}
	return fmt.Errorf("%s ended (%s); the end of %s:\n%s", p.spec.Name, how, p.spec.Log, Tail(p.spec.Log, 12))
}

// Tail gives the last lines of a log file, indented, or says why it cannot.
func Tail(path string, lines int) string {
	const window = 16 << 10
	file, err := os.Open(path)
	if err != nil {
		return "  (no log: " + err.Error() + ")"
	}
	defer file.Close()
	if info, err := file.Stat(); err == nil && info.Size() > window {
		_, _ = file.Seek(-window, 2) // from the start, then, when it cannot
	}
	content := make([]byte, window)
	n, _ := file.Read(content)
	all := strings.Split(strings.TrimRight(string(content[:n]), "\n"), "\n")
	if len(all) > lines {
		all = all[len(all)-lines:]
	}
	return "  " + strings.Join(all, "\n  ")
}

// Reap ends the process that a PID file of an earlier run names, if it still
// runs the executable that it ran then, and removes the file.
func Reap(pidFile, executable string) error {
	content, err := os.ReadFile(pidFile)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read PID file: %w", err)
	}
	defer os.Remove(pidFile)
	var pid int
	if _, err := fmt.Sscan(string(content), &pid); err != nil || pid < 2 {
		return nil // not a PID: nothing to end
	}
	running, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid))
	if err != nil || filepath.Base(strings.TrimSuffix(running, " (deleted)")) != filepath.Base(executable) {
		return nil // ended, or another program has its number now
	}
	_ = syscall.Kill(-pid, syscall.SIGKILL)
	_ = syscall.Kill(pid, syscall.SIGKILL)
	deadline := time.Now().Add(5 * time.Second)
	for time.Now().Before(deadline) {
		if !alive(pid) {
			return nil
		}
		time.Sleep(20 * time.Millisecond)
	}
	return fmt.Errorf("end process %d (%s) of an earlier run: still there 5s after SIGKILL", pid, executable)
}

// alive tells whether a process runs. One that has ended and waits for its
// parent to ask (a zombie) does not; see proc_pid_stat(5).
func alive(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, fields, _ := strings.Cut(string(stat), ") ") // the name before may have anything in it
	return !strings.HasPrefix(fields, "Z") && !strings.HasPrefix(fields, "X")
}

// WritePID records the process in a file that Reap reads.
func (p *Process) WritePID(pidFile string) error {
	return os.WriteFile(pidFile, fmt.Appendf(nil, "%d\n", p.pid), 0o644)
}
