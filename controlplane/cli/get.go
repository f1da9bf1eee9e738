package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	gpb "github.com/openconfig/gnmi/proto/gnmi"
	gvalue "github.com/openconfig/gnmi/value"
	xpath "github.com/openconfig/gnmic/pkg/api/path"
	"github.com/spf13/cobra"
)

func getCommand(o *options) *cobra.Command {
	on := ""
	c := &cobra.Command{
		Use:   "get PATH...",
		Short: "Show what is at paths of the models, leaf by leaf",
		Long: `get shows what is at paths of the models: docs/models has them all.

  fabricscope get '/fabric/switches/switch[name=leaf1]/state'
  fabricscope get '/kubernetes/clusters/cluster/pods/pod/.../switch'
  fabricscope get --target leaf1 /interfaces

Keys may be left out or be *, an element may be *, and ... stands for any number of elements.`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if o.output == "wide" || o.output == "jsonl" {
				return errors.New("--output: get has table and json")
			}
			return o.get(c.Context(), on, args)
		},
	}
	c.Flags().StringVar(&on, "target", target, "gNMI target: fabric, a switch, or * for all")
	return c
}

// get asks once for paths and writes each leaf as it comes.
func (o *options) get(ctx context.Context, on string, args []string) error {
	list := &gpb.SubscriptionList{Prefix: &gpb.Path{Target: on}, Mode: gpb.SubscriptionList_ONCE, Encoding: gpb.Encoding_PROTO}
	if o.output == "json" {
		list.Encoding = gpb.Encoding_JSON_IETF
	}
	for _, a := range args {
		p, err := xpath.ParsePath(a)
		if err != nil {
			return fmt.Errorf("path %q: %w", a, err)
		}
		list.Subscription = append(list.Subscription, &gpb.Subscription{Path: p})
	}
	found := 0
	w := o.leafWriter()
	err := o.once(ctx, list, func(n *gpb.Notification) error {
		found += len(n.GetUpdate())
		return w.write(n)
	})
	if err != nil {
		return err
	}
	if found == 0 {
		fmt.Fprintln(o.Stderr, "Nothing found.")
	}
	return w.end()
}

// leafWriter writes leaves as lines of path and value, or as one JSON object of them.
type leafWriter struct {
	out   io.Writer
	json  bool
	other string // target that needs no mention
	count int
}

func (o *options) leafWriter() *leafWriter {
	return &leafWriter{out: o.Stdout, json: o.output == "json", other: target}
}

func (w *leafWriter) write(n *gpb.Notification) error {
	for _, u := range n.GetUpdate() {
		full := &gpb.Path{Elem: append(append([]*gpb.PathElem(nil), n.GetPrefix().GetElem()...), u.GetPath().GetElem()...)}
		name := xpath.GnmiPathToXPath(full, false)
		if !strings.HasPrefix(name, "/") {
			name = "/" + name
		}
		if t := n.GetPrefix().GetTarget(); t != w.other {
			name = t + ":" + name
		}
		var err error
		switch {
		case !w.json:
			_, err = fmt.Fprintf(w.out, "%s: %s\n", name, plain(u.GetVal()))
		case w.count == 0:
			_, err = fmt.Fprintf(w.out, "{\n  %q: %s", name, u.GetVal().GetJsonIetfVal())
		default:
			_, err = fmt.Fprintf(w.out, ",\n  %q: %s", name, u.GetVal().GetJsonIetfVal())
		}
		if err != nil {
			return fail("write the answer: %w", err)
		}
		w.count++
	}
	return nil
}

func (w *leafWriter) end() error {
	text := ""
	switch {
	case w.json && w.count == 0:
		text = "{}\n"
	case w.json:
		text = "\n}\n"
	}
	if _, err := io.WriteString(w.out, text); err != nil {
		return fail("write the answer: %w", err)
	}
	return nil
}

// plain gives a value for people.
func plain(v *gpb.TypedValue) string {
	scalar, err := gvalue.ToScalar(v)
	if err != nil {
		return v.String()
	}
	list, ok := scalar.([]any)
	if !ok {
		return fmt.Sprint(scalar)
	}
	words := make([]string, len(list))
	for i, one := range list {
		words[i] = fmt.Sprint(one)
	}
	return strings.Join(words, " ")
}
