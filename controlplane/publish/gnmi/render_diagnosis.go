package gnmi

import (
	"strings"

	"github.com/fabricscope/fabricscope/controlplane/inventory"
)

func findingKind() *kind {
	return &kind{
		fact: inventory.KindFinding, name: []string{"diagnosis", "findings", "finding"},
		keys: func(f inventory.Fact, v []string) []string { return append(v, f.(inventory.Finding).ID) },
		id:   bySlash, leaves: findingLeaves,
	}
}

func findingLeaves(e inventory.Entry, w *writer) {
	f := e.Fact.(inventory.Finding)
	w.in("state", func() {
		w.leaf("id", str(f.ID))
		w.leaf("kind", str(f.Kind))
		w.leaf("severity", str(strings.ToUpper(f.Severity)))
		w.leaf("subject-kind", str(f.Subject.Kind))
		w.leaf("subject-cluster", str(f.Subject.Cluster))
		w.leaf("subject", str(f.Subject.Name))
		w.leaf("since", instant(f.Since))
		w.leaf("evidence", num(f.Evidence))
		w.leaf("text", str(f.Text))
	})
}
