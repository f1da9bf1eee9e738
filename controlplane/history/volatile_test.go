package history_test

import (
	"testing"
	"time"

	"github.com/fabricscope/fabricscope/controlplane/history"
	"github.com/fabricscope/fabricscope/controlplane/inventory"
)

func TestAccountingIsOfTheMoment(t *testing.T) {
	cfg := config(t)
	s, stop := start(t, cfg, deps(t))
	port := inventory.Port{Switch: "leaf1", Number: 1, Name: "leaf1-eth1"}
	books := inventory.Accounting{Switch: "leaf1", Port: "leaf1-eth1", Number: 1, PortPackets: 7}
	s.Record(inventory.Became(port, time.Now()), inventory.Became(books, time.Now()))
	if err := s.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, ok := s.Now().Get(books.Ref()); !ok {
		t.Error("the live state does not have it")
	}
	past, err := s.At(t.Context(), time.Now(), history.ByCommit)
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := past.Get(books.Ref()); ok {
		t.Error("it was written to disk")
	}
	if _, ok := past.Get(port.Ref()); !ok {
		t.Error("the port was not")
	}
	stop()
	again, _ := start(t, cfg, deps(t))
	if _, ok := again.Now().Get(books.Ref()); ok {
		t.Error("it outlived the store")
	}
}
