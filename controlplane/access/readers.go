package access

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	models "github.com/fabricscope/fabricscope/models/schema"
)

// Reader says what some callers see. Of several the first that names the caller counts.
type Reader struct {
	Name       string
	Users      []string // who log in
	Principals []string // of certificates, of callers who do not log in
	Clusters   []string // whose objects are seen; empty for all
	Namespaces []string // likewise, in each of Clusters
	Paths      []string // of the models, beneath which leaves are seen; empty for all
	Hidden     []string // paths beneath which nothing is seen
	// Shared are paths beneath which also that is seen which is of no cluster, or with Namespaces of no namespace.
	Shared []string
}

// name is what clusters and namespaces may be called (RFC 1123 for the latter).
var name = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*$`)

// validateReaders reports every field that cannot be.
func (c Config) validateReaders() error {
	var errs []error
	seen := map[string]bool{}
	for i, r := range c.Readers {
		add := func(field, format string, args ...any) {
			errs = append(errs, fmt.Errorf("access.readers[%d].%s: %s", i, field, fmt.Sprintf(format, args...)))
		}
		if r.Name == "" || seen[r.Name] {
			add("name", "%q is empty or there twice", r.Name)
		}
		seen[r.Name] = true
		if len(r.Users)+len(r.Principals) == 0 {
			add("users", "neither users nor principals: it is nobody's")
		}
		if len(r.Users) > 0 && c.Users == "" {
			add("users", "nobody can log in without a users-file")
		}
		if len(r.Principals) > 0 && c.ClientCertificates == Off {
			add("principals", "nobody is asked for a certificate: see client-certificates")
		}
		for field, names := range map[string][]string{"users": r.Users, "principals": r.Principals} {
			if slices.Contains(names, "") {
				add(field, "an empty name is nobody's")
			}
		}
		for field, names := range map[string][]string{"clusters": r.Clusters, "namespaces": r.Namespaces} {
			for _, n := range names {
				if !name.MatchString(n) {
					add(field, "%q must be letters, digits, dots, dashes and underscores", n)
				}
			}
		}
		for field, paths := range map[string][]string{"paths": r.Paths, "hidden": r.Hidden, "shared": r.Shared} {
			for _, p := range paths {
				if err := checkPath(p); err != nil {
					add(field, "%v", err)
				}
			}
		}
		if len(r.Shared) > 0 && len(r.Clusters)+len(r.Namespaces) == 0 {
			add("shared", "everything is seen without clusters or namespaces")
		}
	}
	return errors.Join(errs...)
}

// checkPath wants a path of the models without keys.
func checkPath(path string) error {
	if path == "/" {
		return nil
	}
	if !strings.HasPrefix(path, "/") {
		return fmt.Errorf("%q does not begin with /", path)
	}
	at := models.Root()
	for step := range strings.SplitSeq(path[1:], "/") {
		i := slices.IndexFunc(at, func(n models.Node) bool { return n.Name == step })
		if i < 0 {
			return fmt.Errorf("%q: no model has %q there; keys and wildcards are not meant", path, step)
		}
		at = at[i].Children
	}
	return nil
}

// ReaderOf gives what the caller of an RPC sees; nil for everything.
func (g *Guard) ReaderOf(ctx context.Context) (*Scope, error) {
	return g.readerOf(callerOf(ctx))
}

func (g *Guard) readerOf(c caller) (*Scope, error) {
	if len(g.cfg.Readers) == 0 {
		return nil, nil
	}
	for i := range g.cfg.Readers {
		r := &g.cfg.Readers[i]
		if c.user != "" && slices.Contains(r.Users, c.user) ||
			c.user == "" && slices.ContainsFunc(c.principals, func(p string) bool { return slices.Contains(r.Principals, p) }) {
			return &Scope{r, g.cfg.NamesKey}, nil
		}
	}
	return nil, status.Error(codes.PermissionDenied, "access.readers has nothing for you to see")
}

// Key implements the gNMI server's Reader.
func (r *Reader) Key() string { return r.Name }

// Reads implements the gNMI server's Reader.
func (r *Reader) Reads(path string) bool {
	return (len(r.Paths) == 0 || beneath(path, r.Paths)) && !beneath(path, r.Hidden)
}

// beneath says whether a path is one of some, or beneath one.
func beneath(path string, some []string) bool {
	return slices.ContainsFunc(some, func(p string) bool {
		return p == "/" || path == p || strings.HasPrefix(path, p) && path[len(p)] == '/'
	})
}

// all says whether the reader sees every fact.
func (r *Reader) all() bool { return len(r.Clusters)+len(r.Namespaces) == 0 }
