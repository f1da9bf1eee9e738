package lab

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/fabricscope/fabricscope/bmv2-lab/check"
	"github.com/fabricscope/fabricscope/bmv2-lab/workload"
)

// show runs the lab for a person: it shows the answers and then gives them the prompt.
func (l *Lab) show(ctx context.Context) error {
	if err := l.Start(ctx); err != nil {
		return err
	}
	for _, s := range []step{
		{"the shop and its traffic", func() error { return l.startTraffic(l.blue) }},
		{"first answers", func() error { return l.firstAnswers(l.blue) }},
		{"cluster green joins", l.joinGreen},
		{"the shop of green", func() error { return l.startTraffic(l.green) }},
		{"its first answers", func() error { return l.firstAnswers(l.green) }},
	} {
		if err := l.Step(s.name, s.do); err != nil {
			return err
		}
	}
	for _, args := range [][]string{{"pods", "-n", "shop"}, {"services", "-n", "shop"}, {"links"}, {"flows", "--cluster", "green", "-n", "shop"}} {
		if err := l.cli(args...); err != nil {
			return err
		}
	}
	fmt.Fprint(l.Config.Progress, `
The lab runs. This is Mininet's prompt (help lists its commands); besides them:
  fabricscope ARGUMENTS     the operator's CLI: fabricscope pods --at 1m, fabricscope flows -o wide, ...
  impair PORT loss=0.02     lose, delay, repeat or reorder what a switch port sends (help impair); shut PORT, unshut PORT
  kubectl ARGUMENTS         a cluster's own view: kubectl get pods -A -o wide, kubectl --context green get nodes
  sh COMMAND                anything else: sh gnmic -u $FABRICSCOPE_USERNAME -p $(cat $FABRICSCOPE_PASSWORD_FILE) ...,
                            sh tail `+filepath.Join(l.Config.Directory, "log", "fabricscoped.log")+`
exit (or Ctrl-D) ends the lab and removes everything.
`)
	return l.network.prompt(l.ctx)
}

// firstAnswers waits until the answers are there: every pod of the shop at its port, and a
// conversation in both directions. Which services talk over the fabric, and which on one node, is chance.
func (l *Lab) firstAnswers(t *tenant) error {
	return l.poll("the first answers", func() error {
		pods, err := ask[check.PodAnswer](l, "pods", "--cluster", t.name(), "-n", workload.Namespace)
		if err != nil {
			return err
		}
		for _, p := range pods {
			if len(p.Attachments) == 0 {
				return fmt.Errorf("pod %s has no switch port yet", p.Name)
			}
		}
		flows, err := ask[check.Flow](l, "flows", "--cluster", t.name(), "-n", workload.Namespace)
		if err != nil {
			return err
		}
		// Beyond the handshake there is something to see.
		more := func(d check.Direction) bool { return len(d.Hops) > 0 && d.Hops[0].Packets > 3 }
		answered := func(f check.Flow) bool { return more(f.Forward) && more(f.Reverse) }
		if len(pods) == 0 || !slices.ContainsFunc(flows, answered) {
			return fmt.Errorf("%d pods and no conversation yet", len(pods))
		}
		return nil
	})
}

// cli runs the operator's CLI for a person to read.
func (l *Lab) cli(args ...string) error {
	fmt.Fprintf(l.Config.Progress, "\n$ fabricscope %s\n", strings.Join(args, " "))
	out, err := l.query(l.ctx, args...)
	fmt.Fprintf(l.Config.Progress, "%s", out)
	return err
}

// ask gives an answer of the operator's CLI.
func ask[T any](l *Lab, args ...string) ([]T, error) { return askAs[T](l, operator, args...) }

// askAs is ask of a user.
func askAs[T any](l *Lab, user string, args ...string) ([]T, error) {
	out, err := l.queryAs(l.ctx, user, append(args, "-o", "json")...)
	if err != nil {
		return nil, err
	}
	var answer []T
	if err := json.Unmarshal(out, &answer); err != nil {
		return nil, fmt.Errorf("fabricscope %s: %w", strings.Join(args, " "), err)
	}
	return answer, nil
}

// query gives what the operator's CLI prints.
func (l *Lab) query(ctx context.Context, args ...string) ([]byte, error) {
	return l.queryAs(ctx, operator, args...)
}

func (l *Lab) queryAs(ctx context.Context, user string, args ...string) ([]byte, error) {
	command := exec.CommandContext(ctx, filepath.Join(l.Config.Binaries, "fabricscope"), args...)
	command.Env = append(os.Environ(), cliEnvironment(l.Config.Directory, user)...)
	var stderr strings.Builder
	command.Stderr = &stderr
	out, err := command.Output()
	if err != nil {
		return out, fmt.Errorf("fabricscope %s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(stderr.String()))
	}
	return out, nil
}
