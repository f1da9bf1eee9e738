package app

import (
	"bytes"
	"strings"
	"testing"
	"time"
)

// lineWriter hands over each line that is written.
type lineWriter chan string

func (w lineWriter) Write(b []byte) (int, error) {
	w <- strings.TrimSuffix(string(b), "\n")
	return len(b), nil
}

func TestTraceIsPrinted(t *testing.T) {
	cfg := inMemory(1)
	cfg.Program = reflector(t)
	lines := make(lineWriter, 100)
	s := start(t, cfg, Deps{Trace: lines})
	if err := s.Inject(1, bytes.Repeat([]byte{1}, 60)); err != nil {
		t.Fatal(err)
	}
	var got []string
	for deadline := time.After(patient); ; {
		select {
		case line := <-lines:
			got = append(got, line)
		case <-deadline:
			t.Fatalf("no end of the trace: %q", got)
		}
		if strings.HasPrefix(got[len(got)-1], "transmit") {
			break
		}
	}
	if got[0] != "frame of 60 bytes at port 1" || got[len(got)-1] != "transmit 60 bytes out of port 1" {
		t.Errorf("trace %q", got)
	}
}
