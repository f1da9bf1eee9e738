package history_test

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fabricscope/fabricscope/controlplane/history"
	"github.com/fabricscope/fabricscope/controlplane/inventory"
)

// TestAudit damages what leads to rows, where no sum tells, one after the other: looking through the file finds it and mends
// it, and answers are what they were.
func TestAudit(t *testing.T) {
	for name, c := range map[string]struct {
		damage string // SQL
		says   string
		lost   int // conversations
	}{
		"nothing":                         {`SELECT 1`, "", 0},
		"a row of the tree is gone":       {`DELETE FROM span WHERE life IN (3, 5)`, "the tree of times does not have it", 0},
		"a row of the tree has moved":     {`UPDATE span SET node = node + 1024, begin = begin + 1024 WHERE life = 3`, "the tree of times has it where it is not", 0},
		"a row of the tree leads nowhere": {`UPDATE span SET life = life + 4096 WHERE life = 3`, "the tree of times has it where it is not", 0},
		"a row under another kind":        {`UPDATE span SET scope = 4 WHERE life = 3 AND scope = 5`, "the tree of times has it where it is not", 0},
		"a pod is not found by its name":  {`UPDATE owner SET key = key + 1 WHERE life = 3`, "its owner is not found by its name", 0},
		"a pod is found as another":       {`UPDATE owner SET life = 5 WHERE life = 3`, "its owner is not found by its name", 0},
		"what ended is not deleted":       {`DELETE FROM ended`, "it is not among what has ended", 0},
		"what lives has ended":            {`INSERT INTO ended VALUES (4000000000, 5, 0)`, "it is said to have ended when it did not", 0},
		"a conversation has another time": {`UPDATE flow_record SET event_ns = event_ns + 128000000000 WHERE conversation = 'c1'`, "another sum", 1},
	} {
		t.Run(name, func(t *testing.T) {
			cfg, want := audited(t)
			execute(t, filepath.Join(cfg.Dir, "history.db"), c.damage)
			checkAudit(t, cfg, want, c.says, c.lost)
		})
	}
	t.Run("an index has another time", func(t *testing.T) {
		cfg, want := audited(t)
		file := filepath.Join(cfg.Dir, "history.db")
		page := rootOf(t, file, "flow_record_by_event") - 1
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		key := binary.BigEndian.AppendUint64(nil, uint64(epoch.UnixNano()))
		at := bytes.Index(text[4096*page:4096*(page+1)], key)
		if at < 0 {
			t.Fatal("the index does not have the conversation's time")
		}
		overwrite(t, file, 4096*page+int64(at)+2, []byte{key[2] ^ 1})
		checkAudit(t, cfg, want, "is not found by its time", 0)
	})
}

// audited is a history with pods that live, one that ended, a member and a conversation, and what was so at its end.
func audited(t *testing.T) (history.Config, map[inventory.Ref]inventory.Entry) {
	t.Helper()
	cfg, c := config(t), &clock{t: epoch}
	d := deps(t)
	d.Now = c.now
	s, stop := start(t, cfg, d)
	for n := range 20 {
		s.Record(inventory.Became(pod(n, "Running"), epoch))
	}
	s.Record(inventory.Became(inventory.Service{Cluster: "blue", Namespace: "shop", Name: "cart"}, epoch),
		inventory.Became(inventory.Member{Cluster: "blue", Namespace: "shop", Service: "cart", Address: pod(2, "").IPs[0], PodUID: pod(2, "").UID}, epoch),
		inventory.Became(conversation(1, 3, epoch), epoch))
	c.add(time.Minute)
	s.Record(inventory.Ended(pod(19, "").Ref(), epoch.Add(time.Minute)))
	want := all(at(t, s, epoch.Add(10*time.Second), history.ByEvent))
	stop()
	return cfg, want
}

// checkAudit starts a history, has it looked through, and checks what that says and what is answered then.
func checkAudit(t *testing.T, cfg history.Config, want map[inventory.Ref]inventory.Entry, says string, lost int) {
	t.Helper()
	d := deps(t)
	d.Now = func() time.Time { return epoch.Add(2 * time.Minute) }
	s, stop := start(t, cfg, d)
	defer stop()
	for _, name := range []string{"mended", "nothing left"} {
		history.Audit(t, s)
		s.Record(inventory.Became(inventory.Namespace{Cluster: "blue", Name: name}, epoch.Add(time.Minute)))
		flush(t, s) // behind which the writer has looked at what was found
	}
	st := s.Status()
	if (st.Damage == nil) != (says == "") || st.Damage != nil && !strings.Contains(st.Damage.Error(), says) {
		t.Errorf("status %+v, want %q", st, says)
	}
	got := all(at(t, s, epoch.Add(10*time.Second), history.ByEvent))
	if lost > 0 {
		delete(want, conversation(1, 0, epoch).Ref())
	}
	if diff := cmp.Diff(want, got, equal...); diff != "" {
		t.Errorf("after it was mended (-want +got):\n%s", diff)
	}
	for n := range 20 {
		one, err := s.At(t.Context(), epoch.Add(10*time.Second), history.ByEvent, history.Want{Kind: inventory.KindPod, Cluster: "blue", ID: pod(n, "").UID, Exact: true})
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := one.Get(pod(n, "").Ref()); !ok {
			t.Errorf("pod %d is not found by its name", n)
		}
	}
	if n := history.Rows(t, s, "ended"); n != 1 {
		t.Errorf("%d parts are said to have ended, 1 has", n)
	}
}
