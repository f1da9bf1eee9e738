package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"google.golang.org/protobuf/encoding/prototext"
)

// report prints a difference, what leads to it, and what both switches tell of it.
func (x *pair) report(ctx context.Context, t trial, first *difference) {
	for _, s := range t.setup {
		fmt.Printf("%s %s\n", s.kind, strings.ReplaceAll(prototext.MarshalOptions{}.Format(s.entity), "  ", " "))
	}
	for _, p := range t.packets {
		fmt.Printf("packet %d %x\n", p.port, p.frame)
	}
	x.stop()
	dir, err := os.MkdirTemp("", "diffbmv2")
	if err != nil {
		fmt.Println(first.text)
		return
	}
	defer os.RemoveAll(dir)
	log := filepath.Join(dir, "bmv2")
	x.options.softOptions, x.options.bmv2Log = []string{"--trace"}, log
	defer func() { x.options.softOptions, x.options.bmv2Log = nil, "" }()
	if err := x.start(ctx); err != nil {
		fmt.Println(first.text, err)
		return
	}
	soft := x.soft
	d, err := x.attempt(ctx, t)
	switch {
	case err != nil:
		fmt.Printf("with traces it cannot be repeated: %v\n%s\n", err, first.text)
	case d == nil:
		fmt.Printf("with traces it does not happen again; it was\n%s\n", first.text)
	default:
		fmt.Println(d.text)
	}
	fmt.Printf("-- softswitch\n%s", soft.Output())
	if text, err := os.ReadFile(log + ".txt"); err == nil && len(text) > 0 {
		fmt.Printf("-- simple_switch_grpc\n%s", text)
	} else {
		fmt.Println("-- simple_switch_grpc: no log (it is a build without logging)")
	}
	x.stop()
}
