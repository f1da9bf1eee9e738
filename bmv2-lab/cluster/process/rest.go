package process

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// lookEvery is the time between two looks at a process.
const lookEvery = 100 * time.Microsecond

// AtRest waits until a process has nothing left to do. Work goes from thread to thread, so two
// looks are taken: if no thread ran or was ready to run in either, and none has run in between,
// then there was no work to hand over when the first look ended. A frame that is in the kernel's
// backlog would be work to come, so that has to be empty too.
func AtRest(ctx context.Context, pid int) error {
	before, resting, err := look(pid)
	for err == nil {
		if ctx.Err() != nil {
			return fmt.Errorf("process %d does not come to rest: %w", pid, ctx.Err())
		}
		time.Sleep(lookEvery)
		var now string
		var still bool
		if now, still, err = look(pid); resting && still && now == before {
			return err
		}
		before, resting = now, still
	}
	return err
}

// look says how often each thread has run so far, and whether nothing runs or is about to.
func look(pid int) (ran string, resting bool, err error) {
	root := fmt.Sprintf("/proc/%d/task", pid)
	threads, err := os.ReadDir(root)
	if err != nil {
		return "", false, fmt.Errorf("threads: %w", err)
	}
	var b strings.Builder
	resting = true
	for _, t := range threads {
		stat, err := os.ReadFile(root + "/" + t.Name() + "/stat")
		if errors.Is(err, os.ErrNotExist) {
			continue // it has ended since
		}
		times, err2 := os.ReadFile(root + "/" + t.Name() + "/schedstat")
		if err := errors.Join(err, err2); err != nil {
			resting = false // it ends now
			continue
		}
		// PID (NAME) STATE …, and a name may contain anything.
		after := stat[bytes.LastIndexByte(stat, ')')+1:]
		state := bytes.TrimSpace(after)
		if len(state) == 0 || bytes.IndexByte([]byte("SI"), state[0]) < 0 {
			resting = false
		}
		fmt.Fprintf(&b, "%s %s\n", t.Name(), bytes.TrimSpace(times))
	}
	backlog, err := backlogged()
	return b.String(), resting && !backlog, err
}

// The columns of /proc/net/softnet_stat that count frames in a processor's backlog.
const backlogColumn = 11

// backlogged says whether the kernel has frames that it has not delivered.
func backlogged() (bool, error) {
	text, err := os.ReadFile("/proc/net/softnet_stat")
	if err != nil {
		return false, err
	}
	for line := range strings.Lines(string(text)) {
		f := strings.Fields(line)
		if len(f) <= backlogColumn {
			continue // an old kernel, which does not tell
		}
		if n, err := strconv.ParseUint(f[backlogColumn], 16, 64); err != nil || n > 0 {
			return true, err
		}
	}
	return false, nil
}
