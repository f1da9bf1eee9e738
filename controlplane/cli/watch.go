package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	gpb "github.com/openconfig/gnmi/proto/gnmi"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"google.golang.org/grpc"
)

// frameEvery is the least time between two frames, and tickEvery the most on a terminal, where ages grow.
const (
	frameEvery = 200 * time.Millisecond
	tickEvery  = time.Second
)

// restful is how many times as long as a frame took to draw the next one waits at least: a table of a large cluster is not to
// take a processor for itself.
const restful = 4

// watched is something that watch shows.
type watched struct {
	name, short string
	flags       func(f *filters, flags *pflag.FlagSet)
	paths       func(f *filters, wide bool) []string
	// lines gives the table, its titles first. wide is for lines that are compared: times stand still in it.
	lines func(o *options, f *filters, data *branch, wide bool) []string
}

func placeFlags(f *filters, flags *pflag.FlagSet) {
	f.addClusterFlags(flags)
	f.addFabricFlags(flags)
}

func allWatched() []watched {
	return []watched{{
		"pods", "Watch behind which switch port each pod sits", placeFlags,
		(*filters).podPaths,
		func(o *options, f *filters, data *branch, wide bool) []string {
			rows := podRows(f.pods(readPods(data)), f)
			if wide {
				return tableLines(podColumnsWide(), rows)
			}
			return tableLines(podColumns(o), rows)
		},
	}, {
		"flows", "Watch who talks to whom, and over which switch ports", placeFlags,
		func(f *filters, _ bool) []string { return f.flowPaths() },
		func(o *options, f *filters, data *branch, wide bool) []string {
			rows := f.conversations(readConversations(data), podLabels(data))
			if wide {
				return tableLines(flowColumnsWide(), rows)
			}
			return tableLines(flowColumns(o), rows)
		},
	}, {
		"findings", "Watch what does not work", (*filters).addFindingFlags,
		func(*filters, bool) []string { return []string{findingsPath} },
		func(o *options, f *filters, data *branch, wide bool) []string {
			rows := f.findings(readFindings(data))
			if wide {
				return tableLines(findingColumnsWide(), rows)
			}
			return tableLines(findingColumns(o), rows)
		},
	}}
}

func watchCommand(o *options) *cobra.Command {
	c := &cobra.Command{
		Use:   "watch",
		Short: "Keep showing pods, flows or findings as they change",
		Long: `watch keeps showing pods, flows or findings as they change, until it is interrupted. On a terminal the table
changes in place; elsewhere each line that came is written after a +, and each that went after a -.`,
	}
	for _, w := range allWatched() {
		f := &filters{}
		sub := &cobra.Command{
			Use: w.name, Short: w.short, Args: cobra.NoArgs,
			RunE: func(c *cobra.Command, _ []string) error {
				if err := f.prepare(); err != nil {
					return err
				}
				if !o.at.IsZero() || o.forMachines() {
					return errors.New("watch is of now and for people: it has neither --at nor --output json")
				}
				return o.watch(c.Context(), w, f)
			},
		}
		w.flags(f, sub.Flags())
		c.AddCommand(sub)
	}
	return c
}

// live is the data of a subscription as it changes.
type live struct {
	mu     sync.Mutex
	data   branch // guarded by mu
	synced bool   // guarded by mu
	moved  chan struct{}
}

// watch follows the paths of w and draws frames until ctx or the subscription ends.
func (o *options) watch(ctx context.Context, w watched, f *filters) (err error) {
	conn, err := o.dial()
	if err != nil {
		return err
	}
	defer conn.Close()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	l := &live{moved: make(chan struct{}, 1)}
	ended := make(chan error, 1)
	screen := o.screen()
	wide := !screen.inPlace || o.output == "wide"
	go func() {
		ended <- l.follow(ctx, gpb.NewGNMIClient(conn), o.list(gpb.SubscriptionList_STREAM, w.paths(f, wide)))
	}()
	defer func() {
		if e := screen.close(); e != nil && err == nil {
			err = fail("write the answer: %w", e)
		}
	}()
	for {
		select {
		case err := <-ended:
			if ctx.Err() != nil {
				return nil
			}
			return o.explain(err)
		case <-l.moved:
		case <-screen.tick:
		}
		o.now = o.Now()
		begun := time.Now()
		if err := screen.draw(l.lines(func(data *branch) []string { return w.lines(o, f, data, wide) })); err != nil {
			cancel()
			<-ended
			return fail("write the answer: %w", err)
		}
		select {
		case <-time.After(max(frameEvery, restful*time.Since(begun))):
		case <-ctx.Done():
		}
	}
}

// follow takes what a subscription gives; its error says why it ended.
func (l *live) follow(ctx context.Context, client gpb.GNMIClient, list *gpb.SubscriptionList) error {
	stream, err := client.Subscribe(ctx, grpc.ForceCodecV2(newCodec()))
	if err != nil {
		return err
	}
	if err := stream.Send(&gpb.SubscribeRequest{Request: &gpb.SubscribeRequest_Subscribe{Subscribe: list}}); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	var resp encoded
	r := newNoteReader()
	for {
		if err := stream.RecvMsg(&resp); err != nil {
			return err
		}
		n, err := r.read(resp.bytes)
		if err != nil {
			return err
		}
		l.mu.Lock()
		l.synced = l.synced || n.sync
		l.data.apply(n)
		synced := l.synced
		l.mu.Unlock()
		if synced {
			select {
			case l.moved <- struct{}{}:
			default:
			}
		}
	}
}

// lines makes lines of the data; none before it is complete.
func (l *live) lines(of func(*branch) []string) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.synced {
		return nil
	}
	return of(&l.data)
}

// Sequences of terminals (ECMA-48, and xterm's control sequences for the alternate screen).
const (
	toAlternate = "\x1b[?1049h\x1b[?25l" // a screen of its own, and no cursor
	toNormal    = "\x1b[?25h\x1b[?1049l"
	toHome      = "\x1b[H"
	clearLine   = "\x1b[K" // what is behind the cursor
	clearBelow  = "\x1b[J"
)

// screen is where frames are drawn.
type screen struct {
	out     io.Writer
	size    func() (width, height int)
	inPlace bool
	tick    <-chan time.Time // when a frame is due though nothing changed
	last    []string         // the last frame
}

func (o *options) screen() *screen {
	s := &screen{out: o.Stdout}
	if o.Terminal == nil || o.Getenv("TERM") == "dumb" {
		return s
	}
	if _, _, ok := o.Terminal(); ok {
		s.inPlace, s.tick = true, time.Tick(tickEvery)
		s.size = func() (int, int) { w, h, _ := o.Terminal(); return w, h }
	}
	return s
}

// close gives the terminal back as it was, with the last frame below what was there.
func (s *screen) close() error {
	if !s.inPlace || s.last == nil {
		return nil
	}
	_, err := io.WriteString(s.out, toNormal+strings.Join(s.last, "\n")+"\n")
	return err
}

// draw shows a frame.
func (s *screen) draw(lines []string) error {
	if len(lines) == 0 {
		return nil
	}
	if s.inPlace {
		return s.redraw(lines)
	}
	var b strings.Builder
	if s.last == nil {
		b.WriteString("  " + lines[0] + "\n")
	}
	for _, gone := range missing(s.last, lines) {
		b.WriteString("- " + gone + "\n")
	}
	for _, came := range missing(lines, s.last) {
		b.WriteString("+ " + came + "\n")
	}
	s.last = lines
	_, err := io.WriteString(s.out, b.String())
	return err
}

// missing gives the rows of a that b has not; widths may differ.
func missing(a, b []string) []string {
	if len(a) == 0 {
		return nil
	}
	have := map[string]bool{}
	for _, line := range b {
		have[strings.Join(strings.Fields(line), " ")] = true
	}
	return slices.DeleteFunc(slices.Clone(a[1:]), func(line string) bool { return have[strings.Join(strings.Fields(line), " ")] })
}

// redraw puts a frame over the last one. What does not fit is cut off, and lines are counted. Every frame begins at the
// top, whatever size the terminal had before.
func (s *screen) redraw(lines []string) error {
	width, height := s.size()
	if len(lines) > height && height > 1 {
		more := len(lines) - height + 1
		lines = append(slices.Clone(lines[:height-1]), fmt.Sprintf("... and %d more", more))
	}
	var b strings.Builder
	if s.last == nil {
		b.WriteString(toAlternate)
	}
	b.WriteString(toHome)
	fit := make([]string, len(lines))
	for i, line := range lines {
		if runes := []rune(line); width > 0 && len(runes) > width {
			line = string(runes[:width])
		}
		if fit[i] = line; i > 0 {
			b.WriteString("\r\n")
		}
		b.WriteString(line + clearLine)
	}
	b.WriteString(clearBelow)
	s.last = fit
	_, err := io.WriteString(s.out, b.String())
	return err
}
