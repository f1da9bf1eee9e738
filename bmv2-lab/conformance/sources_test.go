package conformance

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// programs/sources.sha256 is what sha256sum printed of the sources that the programs were
// compiled from.
func TestProgramsAreOfTheseSources(t *testing.T) {
	sums, err := os.ReadFile("programs/sources.sha256")
	if err != nil {
		t.Fatal(err)
	}
	recorded := map[string]string{}
	for lines := bufio.NewScanner(bytes.NewReader(sums)); lines.Scan(); {
		sum, name, ok := strings.Cut(lines.Text(), "  ")
		if !ok {
			t.Fatalf("sources.sha256: %q is not a line of sha256sum", lines.Text())
		}
		recorded[name] = sum
	}
	sources, err := filepath.Glob("programs/*.p4")
	if err != nil || len(sources) == 0 {
		t.Fatalf("no sources: %v", err)
	}
	for _, path := range sources {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		name, sum := filepath.Base(path), sha256.Sum256(text)
		if got := hex.EncodeToString(sum[:]); got != recorded[name] {
			t.Errorf("%s changed since it was compiled: run `make conformance-programs`", name)
		}
		delete(recorded, name)
	}
	for name := range recorded {
		t.Errorf("%s went since it was compiled: run `make conformance-programs`", name)
	}
}
