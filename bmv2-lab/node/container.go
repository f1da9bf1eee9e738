package node

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
	corev1 "k8s.io/api/core/v1"

	"github.com/fabricscope/fabricscope/bmv2-lab/cluster/process"
	"github.com/fabricscope/fabricscope/bmv2-lab/node/netns"
)

// Waits before a container that ended starts again: doubling from the first to
// the last, and the first again once it has run for the reset.
const (
	backoffFirst = time.Second
	backoffLast  = 30 * time.Second
	backoffReset = time.Minute
)

// sandbox is what the containers of a pod share.
type sandbox struct {
	namespace  *netns.Namespace
	hostname   string
	resolvConf string // path of the file that stands for /etc/resolv.conf; empty for the machine's
	directory  string
	extra      []string // variables for every container
}

// commandOf is what a container runs: its command, or the executable that
// stands for its image, with its args; references to variables expanded.
func commandOf(container corev1.Container, images map[string]string, variables map[string]string) ([]string, error) {
	var words []string
	for _, word := range container.Command {
		words = append(words, expand(word, variables))
	}
	if len(words) == 0 {
		path, known := images[container.Image]
		if !known {
			return nil, fmt.Errorf("image %q stands for no executable on this machine, and the container has no command", container.Image)
		}
		words = append(words, path)
	}
	for _, word := range container.Args {
		words = append(words, expand(word, variables))
	}
	return words, nil
}

// startContainer runs a container's process in the pod's sandbox, its output
// appended to a log file that is named after it.
func startContainer(s sandbox, container corev1.Container, command, variables []string) (*process.Process, error) {
	path, err := lookPath(command[0])
	if err != nil {
		return nil, fmt.Errorf("container %s: %w", container.Name, err)
	}
	directory := container.WorkingDir
	if directory == "" {
		directory = s.directory
	}
	base := []string{
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		"HOME=" + s.directory,
		"HOSTNAME=" + s.hostname,
	}
	return process.Start(process.Spec{
		Name:      container.Name,
		Path:      path,
		Args:      command[1:],
		Env:       append(append(base, s.extra...), variables...),
		Directory: directory,
		Log:       filepath.Join(s.directory, container.Name+".log"),
		Enter:     s.enter,
	})
}

// enter moves the calling thread, which the container's process comes from,
// into the pod's network namespace and mount and UTS namespaces of its own, in
// which the host name is the pod's and the resolver's file is the cluster's.
func (s sandbox) enter() error {
	if err := unix.Unshare(unix.CLONE_NEWNS | unix.CLONE_NEWUTS); err != nil {
		return fmt.Errorf("make mount and UTS namespaces: %w", err)
	}
	if err := unix.Sethostname([]byte(s.hostname)); err != nil {
		return fmt.Errorf("set the host name %s: %w", s.hostname, err)
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make the mounts private: %w", err)
	}
	if s.resolvConf != "" {
		if err := unix.Mount(s.resolvConf, "/etc/resolv.conf", "", unix.MS_BIND, ""); err != nil {
			return fmt.Errorf("bind %s to /etc/resolv.conf (which has to exist): %w", s.resolvConf, err)
		}
	}
	return s.namespace.Enter()
}

// lookPath finds an executable as a shell would, with a fixed path.
func lookPath(name string) (string, error) {
	candidates := []string{name}
	if !strings.Contains(name, "/") {
		candidates = nil
		for _, directory := range []string{"/usr/local/bin", "/usr/bin", "/usr/sbin", "/bin", "/sbin"} {
			candidates = append(candidates, filepath.Join(directory, name))
		}
	}
	for _, candidate := range candidates {
		if info, err := os.Stat(candidate); err == nil && !info.IsDir() && info.Mode()&0o111 != 0 {
			return candidate, nil
		}
	}
	return "", fmt.Errorf("executable %s: %w", name, os.ErrNotExist)
}

// waitingReason is the reason that a kubelet gives for an error like this one.
func waitingReason(err error) string {
	switch {
	case errors.Is(err, os.ErrNotExist), errors.Is(err, syscall.ENOEXEC):
		return "ErrImagePull"
	default:
		return "CreateContainerError"
	}
}
