package lab

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"

	"go.yaml.in/yaml/v3"

	"github.com/fabricscope/fabricscope/bmv2-lab/cluster/process"
	"github.com/fabricscope/fabricscope/bmv2-lab/topology"
)

// Where the daemon of the lab answers, away from its default ports, which a daemon of the
// machine's own may have.
const (
	GNMIAddress = "127.0.0.1:19339"
	HTTPAddress = "127.0.0.1:19464"
)

// daemonConfig is the daemon's configuration file as the lab writes it. It is written down
// here once more, and not taken from the daemon's packages, because the lab knows the daemon
// from outside.
type daemonConfig struct {
	StateDir string            `yaml:"state-dir"`
	GNMI     listen            `yaml:"gnmi"`
	HTTP     listen            `yaml:"http"`
	Access   daemonAccess      `yaml:"access"`
	Clusters []daemonCluster   `yaml:"clusters"`
	Switches []daemonSwitch    `yaml:"switches"`
	Fabric   daemonFabric      `yaml:"fabric"`
	Flows    map[string]string `yaml:"flows"`
}

type listen struct {
	Listen string `yaml:"listen"`
}

type daemonCluster struct {
	Name       string `yaml:"name"`
	Kubeconfig string `yaml:"kubeconfig"`
}

type daemonSwitch struct {
	Name     string       `yaml:"name"`
	Address  string       `yaml:"address"`
	DeviceID uint64       `yaml:"device-id"`
	Role     string       `yaml:"role"`
	Loopback string       `yaml:"loopback"`
	Ports    []daemonPort `yaml:"ports"`
}

type daemonPort struct {
	Number uint32 `yaml:"number"`
	Name   string `yaml:"name"`
	Peer   string `yaml:"peer"`
}

type daemonFabric struct {
	Gateways []daemonGateway `yaml:"gateways"`
}

// loopback is the address of the switch with this index: what traceroute shows.
func loopback(i int) netip.Addr { return netip.AddrFrom4([4]byte{10, 255, 0, byte(i + 1)}) }

type daemonGateway struct {
	Switch  string   `yaml:"switch"`
	Address string   `yaml:"address"`
	Ports   []string `yaml:"ports"`
}

// writeDaemonConfig writes the configuration for a topology and clusters, and gives its path.
func writeDaemonConfig(directory string, t *topology.Topology, clusters []daemonCluster) (string, error) {
	access, err := writeLogins(directory, clusters[0].Name)
	if err != nil {
		return "", fmt.Errorf("write the daemon's users: %w", err)
	}
	c := daemonConfig{
		StateDir: filepath.Join(directory, "state"),
		GNMI:     listen{GNMIAddress}, HTTP: listen{HTTPAddress}, Access: access,
		Clusters: clusters,
		// The checks compare whole runs, so nothing may leave the screen before their end.
		Flows: map[string]string{"idle-timeout": "3s", "linger": "1h", "export-interval": "1s"},
	}
	for i, s := range t.Switches {
		sw := daemonSwitch{Name: s.Name, Address: fmt.Sprintf("127.0.0.1:%d", s.GRPCPort), DeviceID: s.DeviceID, Role: s.Role,
			Loopback: loopback(i).String()}
		gateway := daemonGateway{Switch: s.Name}
		for _, p := range t.Peers(s.Name) {
			sw.Ports = append(sw.Ports, daemonPort{p.Port.Number, p.Port.Interface(), p.Name})
			if p.Host {
				gateway.Ports = append(gateway.Ports, p.Port.Interface())
			}
		}
		c.Switches = append(c.Switches, sw)
		if g := t.Gateway(s.Name); g.IsValid() {
			gateway.Address = g.String()
			c.Fabric.Gateways = append(c.Fabric.Gateways, gateway)
		}
	}
	text, err := yaml.Marshal(c)
	if err != nil {
		return "", fmt.Errorf("write the daemon's configuration: %w", err)
	}
	path := filepath.Join(directory, "fabricscoped.yaml")
	return path, os.WriteFile(path, text, 0o644)
}

// daemonSpec is how fabricscoped is run.
func daemonSpec(c Config, configFile string) process.Spec {
	return process.Spec{Name: "fabricscoped", Path: filepath.Join(c.Binaries, "fabricscoped"),
		Args: []string{"--config", configFile}, Log: filepath.Join(c.Directory, "log", "fabricscoped.log")}
}

// cliEnvironment makes the CLI find the lab's daemon, as a user.
func cliEnvironment(directory, user string) []string {
	return []string{
		"FABRICSCOPE_USERNAME=" + user,
		"FABRICSCOPE_PASSWORD_FILE=" + passwordFile(directory, user),
		"FABRICSCOPE_ADDRESS=" + GNMIAddress,
		"FABRICSCOPE_TLS_CA=" + filepath.Join(directory, "state", "gnmi.crt"),
		"FABRICSCOPE_TIMEOUT=1m", // everything of the lab shares the machine's processors
	}
}
