package lab

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/fabricscope/fabricscope/bmv2-lab/check"
	"github.com/fabricscope/fabricscope/bmv2-lab/workload"
)

// checkReader has who sees one namespace ask everything that the command can, and looks for what kubectl has of others.
func (c *checked) checkReader() {
	c.settles("who sees the shop of blue sees that, and no name of another", func() (string, []string, error) {
		own, others, err := c.whoseIsWhat()
		if err != nil {
			return "", nil, err
		}
		said, err := askAs[check.PodAnswer](c.Lab, shopKeeper, "pods")
		if err != nil {
			return "", nil, err
		}
		differences := check.Pods(said, own)
		told := 0
		for _, command := range []string{"pods -o wide", "services --vips -o json", "services -o json", "flows -o json", "flows --legs -o wide", "edges -o json",
			"findings -o json", "switches -o json", "links -o json", "accounting -o json", "export flows", "get / --target *"} {
			out, err := c.queryAs(c.ctx, shopKeeper, strings.Fields(command)...)
			if err != nil && !strings.Contains(err.Error(), "NotFound") {
				return "", nil, err
			}
			told += len(out)
			for name, whose := range others {
				if bytes.Contains(out, []byte(name)) {
					differences = append(differences, fmt.Sprintf("%s tells of %s, which is %s", command, name, whose))
				}
			}
		}
		return fmt.Sprintf("%d pods, %d bytes of answers without any of %d names", len(said), told, len(others)), differences, nil
	})
}

// whoseIsWhat gives the pods of the shop of blue, and what is only of other pods, of either cluster, and of which: names, UIDs and
// addresses.
func (c *checked) whoseIsWhat() (own map[string]check.Pod, others map[string]string, err error) {
	own, others = map[string]check.Pod{}, map[string]string{}
	for _, t := range []*tenant{c.blue, c.green} {
		pods, err := c.kubectl(t).Pods(c.ctx)
		if err != nil {
			return nil, nil, err
		}
		for uid, p := range pods {
			if t == c.blue && p.Namespace == workload.Namespace {
				own[uid] = p
				continue
			}
			for _, name := range []string{p.Name, p.UID, quoted(p.IP)} {
				others[name] = t.name() + " " + p.Namespace + "/" + p.Name
			}
		}
	}
	for _, pods := range []map[string]check.Pod{own, c.before.pods} { // the clusters have the same addresses, and pods one after the other
		for _, p := range pods {
			delete(others, p.Name)
			delete(others, quoted(p.IP))
		}
	}
	return own, others, nil
}

// quoted is an address as JSON has it: the beginning of another is not meant.
func quoted(address string) string { return `"` + address + `"` }
