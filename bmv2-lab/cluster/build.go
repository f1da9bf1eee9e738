package cluster

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// Version is that of k8s.io/kubernetes in the nested module's go.mod.
const Version = "v1.37.2"

// The executables that Build makes.
const (
	KubeAPIServer         = "kube-apiserver"
	KubeControllerManager = "kube-controller-manager"
	KubeScheduler         = "kube-scheduler"
	KubeProxy             = "kube-proxy"
	Kubectl               = "kubectl"
)

func executables() []string {
	return []string{KubeAPIServer, KubeControllerManager, KubeProxy, KubeScheduler, Kubectl}
}

// BuildConfig says from where and to where to build Kubernetes.
type BuildConfig struct {
	Module   string    // the nested module's directory: bmv2-lab/cluster/kubernetes of the checkout
	Cache    string    // binaries go to a directory below it that names their version and sources
	Progress io.Writer // lines for a person who waits; nil for none
}

// DefaultBuildConfig finds the nested module in the working directory or above
// it, and caches under $XDG_CACHE_HOME/fabricscope/bin, or ~/.cache/fabricscope/bin.
func DefaultBuildConfig() (BuildConfig, error) {
	config := BuildConfig{}
	cache, err := os.UserCacheDir()
	if err != nil {
		return config, fmt.Errorf("find a cache directory for Kubernetes' binaries: %w", err)
	}
	config.Cache = filepath.Join(cache, "fabricscope", "bin")
	start, err := os.Getwd()
	if err != nil {
		return config, fmt.Errorf("find the working directory: %w", err)
	}
	for directory := start; ; directory = filepath.Dir(directory) {
		module := filepath.Join(directory, "bmv2-lab", "cluster", "kubernetes")
		if _, err := os.Stat(filepath.Join(module, "go.mod")); err == nil {
			config.Module = module
			return config, nil
		}
		if directory == filepath.Dir(directory) {
			return config, fmt.Errorf("find bmv2-lab/cluster/kubernetes/go.mod in %s or above it: run in a checkout of Fabricscope", start)
		}
	}
}

// Directory is where Build puts the executables: it changes with the version
// and with the sums of every module that goes into them.
func (c BuildConfig) Directory() (string, error) {
	digest := sha256.New()
	for _, name := range []string{"go.mod", "go.sum"} {
		content, err := os.ReadFile(filepath.Join(c.Module, name))
		if err != nil {
			return "", fmt.Errorf("read the sources of the Kubernetes build: %w", err)
		}
		digest.Write(content)
	}
	return filepath.Join(c.Cache, fmt.Sprintf("kubernetes-%s-%x", Version, digest.Sum(nil)[:6])), nil
}

// ErrNotBuilt is Find's answer when the executables are not in the cache.
var ErrNotBuilt = errors.New("Kubernetes is not built")

// Find gives the directory of the executables if Build has made them all, or
// an error that wraps ErrNotBuilt.
func Find(config BuildConfig) (string, error) {
	directory, err := config.Directory()
	if err != nil {
		return "", err
	}
	for _, name := range executables() {
		if _, err := os.Stat(filepath.Join(directory, name)); err != nil {
			return "", fmt.Errorf("%w: %s is missing: run `make kubernetes` (some minutes, once)", ErrNotBuilt, filepath.Join(directory, name))
		}
	}
	return directory, nil
}

// Build gives the directory of the executables, and makes them first when they
// are not in the cache: one go build of all, since they share nearly all of
// their packages. It takes minutes when the Go build cache is cold.
func Build(ctx context.Context, config BuildConfig) (string, error) {
	if directory, err := Find(config); err == nil || !errors.Is(err, ErrNotBuilt) {
		return directory, err
	}
	directory, err := config.Directory()
	if err != nil {
		return "", err
	}
	if config.Progress == nil {
		config.Progress = io.Discard
	}
	// Another directory first, so that an interrupted build leaves nothing that looks whole.
	partial := directory + ".partial"
	if err := os.MkdirAll(partial, 0o755); err != nil {
		return "", fmt.Errorf("make the directory of the Kubernetes build: %w", err)
	}
	begin := time.Now()
	fmt.Fprintf(config.Progress, "kubernetes %s: building %s\n", Version, strings.Join(executables(), ", "))
	if err := config.compile(ctx, partial); err != nil {
		return "", fmt.Errorf("build Kubernetes %s in %s: %w", Version, config.Module, err)
	}
	for _, name := range executables() {
		if _, err := os.Stat(filepath.Join(partial, name)); err != nil {
			return "", fmt.Errorf("build Kubernetes %s: go build made no %s: %w", Version, name, err)
		}
	}
	if err := os.RemoveAll(directory); err != nil {
		return "", fmt.Errorf("replace an incomplete Kubernetes build: %w", err)
	}
	if err := os.Rename(partial, directory); err != nil {
		return "", fmt.Errorf("put the Kubernetes build into place: %w", err)
	}
	fmt.Fprintf(config.Progress, "kubernetes %s: built in %v\n", Version, time.Since(begin).Round(time.Second))
	return directory, nil
}

// compile runs go build and reports the number of packages done as it goes.
func (c BuildConfig) compile(ctx context.Context, output string) error {
	total := c.countPackages(ctx)
	arguments := []string{"build", "-v", "-o", output + "/", "-ldflags=" + linkFlags()}
	for _, name := range executables() {
		arguments = append(arguments, "k8s.io/kubernetes/cmd/"+name)
	}
	command := c.goCommand(ctx, arguments...)
	counter := &packageCounter{total: total, begin: time.Now(), out: c.Progress, every: 10 * time.Second}
	command.Stderr = counter
	if err := command.Run(); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return fmt.Errorf("go build: %w; its last lines:\n%s", err, counter.tail())
	}
	return nil
}

func (c BuildConfig) goCommand(ctx context.Context, arguments ...string) *exec.Cmd {
	command := exec.CommandContext(ctx, "go", arguments...)
	command.Dir = c.Module
	command.Env = append(os.Environ(), "GOWORK=off") // the rest as for the root module: they share compiled packages
	// An interrupted go build ends when its current compilers have.
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGINT}
	command.Cancel = func() error { return syscall.Kill(-command.Process.Pid, syscall.SIGTERM) }
	command.WaitDelay = 5 * time.Second
	return command
}

// countPackages is the number of packages in the build, or 0 when it cannot
// tell: go build says so more clearly then.
func (c BuildConfig) countPackages(ctx context.Context) int {
	arguments := []string{"list", "-deps"}
	for _, name := range executables() {
		arguments = append(arguments, "k8s.io/kubernetes/cmd/"+name)
	}
	output, err := c.goCommand(ctx, arguments...).Output()
	if err != nil {
		return 0
	}
	return bytes.Count(output, []byte("\n"))
}

// linkFlags leave out symbol tables, which are a third of the size, and set
// the version that a release build would have.
func linkFlags() string {
	version := strings.Split(strings.TrimPrefix(Version, "v"), ".")
	flags := []string{"-s", "-w"}
	for _, setting := range []string{"gitVersion=" + Version, "gitMajor=" + version[0], "gitMinor=" + version[1], "gitTreeState=clean"} {
		flags = append(flags, "-X", "k8s.io/component-base/version."+setting)
	}
	return strings.Join(flags, " ")
}

// packageCounter reads go build -v, which names a package a line as it compiles
// it, and writes a line of progress from time to time.
type packageCounter struct {
	total       int // 0 when unknown
	begin, last time.Time
	every       time.Duration
	out         io.Writer
	done        int
	recent      []byte // the last of what was written
}

func (p *packageCounter) Write(content []byte) (int, error) {
	const keep = 4096
	p.done += bytes.Count(content, []byte("\n"))
	p.recent = append(p.recent, content...)
	if len(p.recent) > keep {
		p.recent = append([]byte(nil), p.recent[len(p.recent)-keep:]...)
	}
	now := time.Now()
	if p.last.IsZero() {
		p.last = p.begin
	}
	if now.Sub(p.last) >= p.every {
		p.last = now
		of := ""
		if p.total > 0 {
			of = fmt.Sprintf(" of at most %d", p.total)
		}
		fmt.Fprintf(p.out, "kubernetes %s: %d%s packages, %v\n", Version, p.done, of, now.Sub(p.begin).Round(time.Second))
	}
	return len(content), nil
}

func (p *packageCounter) tail() string {
	lines := strings.Split(strings.TrimSpace(string(p.recent)), "\n")
	if len(lines) > 12 {
		lines = lines[len(lines)-12:]
	}
	return "  " + strings.Join(lines, "\n  ")
}
