package cluster

import (
	"fmt"
	"os"
	"path/filepath"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// User names a kubeconfig of the cluster.
type User string

// The users of every cluster. Each node has one more, from NodeKubeconfig.
const (
	UserAdmin             User = "admin"              // may do everything
	UserControllerManager User = "controller-manager" // kube-controller-manager's own roles
	UserScheduler         User = "scheduler"          // kube-scheduler's own roles
	UserKubeProxy         User = "kube-proxy"         // kube-proxy's own roles
	UserFabricscope       User = "fabricscope"        // get, list and watch what Fabricscope reads
)

// identity is the user and group that a kubeconfig's certificate carries.
type identity struct {
	user, group string
}

func identities() map[User]identity {
	return map[User]identity{
		UserAdmin:             {"kubernetes-admin", "system:masters"},
		UserControllerManager: {"system:kube-controller-manager", ""},
		UserScheduler:         {"system:kube-scheduler", ""},
		UserKubeProxy:         {"system:kube-proxy", ""},
		UserFabricscope:       {"fabricscope", ""},
	}
}

// Kubeconfig is the path of the user's kubeconfig, which exists once the
// cluster has begun to start.
func (c *Cluster) Kubeconfig(user User) string {
	return filepath.Join(c.config.Directory, "kubeconfig", string(user))
}

// NodeKubeconfig writes a kubeconfig with the identity system:node:NAME and
// gives its path. It needs a cluster that is ready.
func (c *Cluster) NodeKubeconfig(node string) (string, error) {
	select {
	case <-c.ready:
	default:
		return "", fmt.Errorf("kubeconfig for node %s: cluster %s is not ready", node, c.config.Name)
	}
	user := User("node-" + node)
	if err := c.writeKubeconfig(user, identity{"system:node:" + node, "system:nodes"}); err != nil {
		return "", err
	}
	return c.Kubeconfig(user), nil
}

// Client is a client with the administrator's rights.
func (c *Cluster) Client() (kubernetes.Interface, error) {
	config, err := clientcmd.BuildConfigFromFlags("", c.Kubeconfig(UserAdmin))
	if err != nil {
		return nil, fmt.Errorf("read the admin kubeconfig of cluster %s: %w", c.config.Name, err)
	}
	config.QPS, config.Burst = 200, 400
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("make a client of cluster %s: %w", c.config.Name, err)
	}
	return client, nil
}

// writeKubeconfig signs a certificate for the identity and writes the file,
// complete from the moment it is there.
func (c *Cluster) writeKubeconfig(user User, who identity) error {
	signed, err := c.authority.client(who.user, who.group)
	if err != nil {
		return err
	}
	name, path := c.config.Name, c.Kubeconfig(user)
	config := clientcmdapi.NewConfig()
	config.Clusters[name] = &clientcmdapi.Cluster{Server: c.config.URL(), CertificateAuthorityData: c.authority.pem}
	account := name + "-" + string(user) // several clusters' files can be given to kubectl together
	config.AuthInfos[account] = &clientcmdapi.AuthInfo{
		ClientCertificateData: signed.certificate,
		ClientKeyData:         signed.key,
	}
	config.Contexts[name] = &clientcmdapi.Context{Cluster: name, AuthInfo: account}
	config.CurrentContext = name
	content, err := clientcmd.Write(*config)
	if err != nil {
		return fmt.Errorf("encode kubeconfig %s: %w", user, err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("make the kubeconfig directory: %w", err)
	}
	if err := os.WriteFile(path+".new", content, 0o600); err != nil {
		return fmt.Errorf("write kubeconfig %s: %w", user, err)
	}
	return os.Rename(path+".new", path)
}
