// Package node is the lab's node agent: what a kubelet and a CNI plugin do,
// with network namespaces for pods and plain processes for containers.
//
// The agent is an ordinary process of the root network namespace, where it
// reaches the Kubernetes API on loopback; it acts in its worker's namespace,
// which is a host of the emulated fabric:
//
//	root namespace         worker's namespace              pod's namespace
//	agent ── API server    eth0 (underlay address)
//	  │                    flannel.1  VXLAN to the peers
//	  │                    cni0       bridge, .1 of the node's pod CIDR
//	  │                      └ veth ───────────────────── eth0, container processes
//	  └─ relay ────────────127.0.0.1:6443                  127.0.0.1:6443 (if the pod has a token)
//	                       kube-proxy
//
// So nothing of the cluster's management crosses the fabric. Offloads are off
// on every device that the agent makes, for a packet that a capture sees to be
// a packet that crosses the wire.
package node
