package rig

import (
	"context"
	"fmt"
	"testing"
	"time"
)

func TestArguments(t *testing.T) {
	o := Options{Device: 7, Ports: []uint32{1, 2}, Extra: []string{"--trace"}}
	for m, want := range map[Model]string{
		Softswitch("x"):   "[--no-p4 --device-id 7 -i 1@d7s1 -i 2@d7s2 --log-level off --trace --grpc-server-addr A --cpu-port 510]",
		SimpleSwitch("x"): "[--no-p4 --device-id 7 -i 1@d7s1 -i 2@d7s2 --log-level off -- --grpc-server-addr A --cpu-port 510]",
	} {
		if got := fmt.Sprint(m.arguments(o, "d7", "A")); got != want {
			t.Errorf("%s: %s", m.Name, got)
		}
	}
}

func TestDialNeedsAServer(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	c, err := Dial(ctx, "127.0.0.1:1", 1)
	if err == nil {
		c.Close()
		t.Fatal("no error")
	}
}
