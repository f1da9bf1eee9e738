package cli

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/spf13/pflag"
)

// filters are the flags that choose objects. Each command has those that make sense.
type filters struct {
	cluster, namespace, service, pod, on, port string
	selectorText                               string
	selector                                   selector
	ipText                                     string
	ip                                         netip.Prefix
}

func (f *filters) addClusterFlags(flags *pflag.FlagSet) {
	flags.StringVar(&f.cluster, "cluster", "", "only of clusters with this name")
	flags.StringVarP(&f.namespace, "namespace", "n", "", "only of namespaces with this name")
	flags.StringVar(&f.service, "service", "", "only of services with this name")
	flags.StringVar(&f.pod, "pod", "", "only of pods with this name")
	flags.StringVarP(&f.selectorText, "selector", "l", "", "only with these labels: k=v, k!=v, k in (a,b), k notin (a,b), k, !k; with commas between")
}

func (f *filters) addFabricFlags(flags *pflag.FlagSet) {
	flags.StringVar(&f.on, "switch", "", "only at switches with this name")
	flags.StringVar(&f.port, "port", "", "only at ports with this name or number")
}

func (f *filters) prepare() error {
	var err error
	f.selector, err = parseSelector(f.selectorText)
	if err != nil {
		return fmt.Errorf("--selector: %w", err)
	}
	if f.ipText == "" {
		return nil
	}
	if a, err := netip.ParseAddr(f.ipText); err == nil {
		f.ip = netip.PrefixFrom(a, a.BitLen())
	} else if f.ip, err = netip.ParsePrefix(f.ipText); err != nil {
		return fmt.Errorf("--ip: %q is neither an address nor a subnet as 10.244.1.0/24", f.ipText)
	}
	return nil
}

// hasIP says whether an address is one of those that are asked for.
func (f *filters) hasIP(text string) bool {
	a, err := netip.ParseAddr(text)
	return err == nil && f.ip.Contains(a)
}

// none says that nothing is filtered.
func (f *filters) none() bool {
	return cmp.Or(f.cluster, f.namespace, f.service, f.pod, f.on, f.port, f.selectorText) == ""
}

// name is a filter by name: by the whole name where something has it, else by a part.
type name struct {
	want  string
	exact bool
}

// nameAmong gives the filter for want among the names that there are.
func nameAmong[T any](want string, things []T, names func(T) []string) name {
	n := name{want: want}
	if want == "" {
		return n
	}
	for _, t := range things {
		if slices.Contains(names(t), want) {
			n.exact = true
			break
		}
	}
	return n
}

func (n name) admits(s string) bool {
	if n.exact {
		return s == n.want
	}
	return strings.Contains(s, n.want)
}

// admitsAny says whether one of names is admitted; an empty filter admits even none.
func (n name) admitsAny(names []string) bool {
	return n.want == "" || slices.ContainsFunc(names, n.admits)
}

// filterBy keeps the things that one of whose names want admits.
func filterBy[T any](things []T, want string, names func(T) []string) []T {
	if want == "" {
		return things
	}
	n := nameAmong(want, things, names)
	return slices.DeleteFunc(things, func(t T) bool { return !n.admitsAny(names(t)) })
}

// servicesIn gives the namespaces and the names of services in a list of namespace/name with commas between, as what
// answers for several of them has it.
func servicesIn(list string) (namespaces, names []string) {
	for one := range strings.SplitSeq(list, ",") {
		if namespace, name, ok := strings.Cut(one, "/"); ok {
			namespaces, names = append(namespaces, namespace), append(names, name)
		}
	}
	return namespaces, names
}

// place is a switch port.
type place struct {
	on     string
	port   string
	number uint64
}

// filterByPlace keeps the things with a place that both the switch and the port admit. A
// port is named by its name or by its number.
func filterByPlace[T any](things []T, f *filters, places func(T) []place) []T {
	if f.on == "" && f.port == "" {
		return things
	}
	on := nameAmong(f.on, things, func(t T) (names []string) {
		for _, p := range places(t) {
			names = append(names, p.on)
		}
		return names
	})
	port := nameAmong(f.port, things, func(t T) (names []string) {
		for _, p := range places(t) {
			if on.admits(p.on) {
				names = append(names, p.port, fmt.Sprint(p.number))
			}
		}
		return names
	})
	return slices.DeleteFunc(things, func(t T) bool {
		return !slices.ContainsFunc(places(t), func(p place) bool { return placeAdmitted(p, on, port) })
	})
}

func placeAdmitted(p place, on, port name) bool {
	if !on.admits(p.on) {
		return false
	}
	return port.admits(p.port) || port.exact && fmt.Sprint(p.number) == port.want
}
