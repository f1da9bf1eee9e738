// Package cluster runs one Kubernetes control plane as processes on this
// machine: etcd and the real kube-apiserver, kube-controller-manager and
// kube-scheduler, with certificates, kubeconfigs and roles made for the run.
//
// The binaries come from the nested module in the directory kubernetes (see
// Build); etcd is the distribution's. A cluster keeps everything in one
// directory:
//
//	pki/          the CA, serving and client certificates, service account keys
//	kubeconfig/   one file per user: admin, fabricscope, node-worker1, ...
//	etcd/         etcd's data
//	log/          one file per process
//	pid/          one file per process, for the next run to clear what a crash left
package cluster
