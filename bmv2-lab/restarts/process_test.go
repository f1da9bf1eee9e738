package restarts

import (
	"testing"
)

func newTarget(t *testing.T) (to target, rate int) {
	return &inProcess{}, 2000
}

func inNamespace(m *testing.M) int { return m.Run() }
