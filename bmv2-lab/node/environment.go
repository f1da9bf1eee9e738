package node

import (
	"fmt"
	"net/netip"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// podFacts are what the downward API tells containers and is known only here.
type podFacts struct {
	podIP, hostIP netip.Addr
}

// environment gives the variables of a container, as KEY=value, in the order
// of the spec: references $(KEY) see the ones before. A source that is neither
// a value nor a field of the pod is an error that names the variable.
func environment(pod *corev1.Pod, container corev1.Container, facts podFacts) ([]string, map[string]string, error) {
	known := map[string]string{}
	var variables []string
	for _, variable := range container.Env {
		value := expand(variable.Value, known)
		if variable.ValueFrom != nil {
			if variable.ValueFrom.FieldRef == nil {
				return nil, nil, fmt.Errorf("variable %s: only value and valueFrom.fieldRef are supported", variable.Name)
			}
			field, err := podField(pod, facts, variable.ValueFrom.FieldRef.FieldPath)
			if err != nil {
				return nil, nil, fmt.Errorf("variable %s: %w", variable.Name, err)
			}
			value = field
		}
		known[variable.Name] = value
		variables = append(variables, variable.Name+"="+value)
	}
	return variables, known, nil
}

// podField is the value of a downward API field path.
func podField(pod *corev1.Pod, facts podFacts, path string) (string, error) {
	if name, key, ok := strings.Cut(path, "['"); ok && strings.HasSuffix(key, "']") {
		key = strings.TrimSuffix(key, "']")
		switch name {
		case "metadata.labels":
			return pod.Labels[key], nil
		case "metadata.annotations":
			return pod.Annotations[key], nil
		}
	}
	switch path {
	case "metadata.name":
		return pod.Name, nil
	case "metadata.namespace":
		return pod.Namespace, nil
	case "metadata.uid":
		return string(pod.UID), nil
	case "spec.nodeName":
		return pod.Spec.NodeName, nil
	case "spec.serviceAccountName":
		return pod.Spec.ServiceAccountName, nil
	case "status.podIP", "status.podIPs":
		return facts.podIP.String(), nil
	case "status.hostIP", "status.hostIPs":
		return facts.hostIP.String(), nil
	}
	return "", fmt.Errorf("field path %q is not supported", path)
}

// expand replaces $(KEY) by the variable's value. $$ stands for one $, and a
// reference to an unknown variable stays as it is (Kubernetes API, EnvVar.value).
func expand(text string, variables map[string]string) string {
	var out strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] != '$' || i+1 == len(text) {
			out.WriteByte(text[i])
			continue
		}
		if text[i+1] == '$' {
			out.WriteByte('$')
			i++
			continue
		}
		end := strings.IndexByte(text[i:], ')')
		if text[i+1] != '(' || end < 0 {
			out.WriteByte('$')
			continue
		}
		reference := text[i : i+end+1]
		if value, ok := variables[reference[2:len(reference)-1]]; ok {
			reference = value
		}
		out.WriteString(reference)
		i += end
	}
	return out.String()
}

// resolvConf is the resolver configuration of a pod with dnsPolicy ClusterFirst.
func resolvConf(namespace, domain string, nameserver netip.Addr) string {
	return fmt.Sprintf("nameserver %v\nsearch %s.svc.%s svc.%s %s\noptions ndots:5\n",
		nameserver, namespace, domain, domain, domain)
}

// unsupported names the first thing in a pod that the agent cannot do, or is nil.
func unsupported(pod *corev1.Pod) error {
	if len(pod.Spec.InitContainers) > 0 {
		return fmt.Errorf("spec.initContainers is not supported")
	}
	for _, volume := range pod.Spec.Volumes {
		if !isTokenVolume(volume) {
			return fmt.Errorf("volume %s: only a service account's token is supported", volume.Name)
		}
	}
	for _, container := range pod.Spec.Containers {
		for what, set := range map[string]bool{
			"livenessProbe": container.LivenessProbe != nil,
			"startupProbe":  container.StartupProbe != nil,
			"lifecycle":     container.Lifecycle != nil,
			"envFrom":       len(container.EnvFrom) > 0,
		} {
			if set {
				return fmt.Errorf("container %s: %s is not supported", container.Name, what)
			}
		}
		if probe := container.ReadinessProbe; probe != nil && probe.HTTPGet == nil && probe.TCPSocket == nil && probe.Exec == nil {
			return fmt.Errorf("container %s: readinessProbe: only httpGet, tcpSocket and exec are supported", container.Name)
		}
	}
	return nil
}

// isTokenVolume tells the volume that the API server adds to every pod that
// mounts its service account's token.
func isTokenVolume(volume corev1.Volume) bool {
	if volume.Projected == nil {
		return false
	}
	for _, source := range volume.Projected.Sources {
		if source.ServiceAccountToken != nil {
			return true
		}
	}
	return false
}

// wantsToken tells whether a pod mounts its service account's token.
func wantsToken(pod *corev1.Pod) bool {
	for _, volume := range pod.Spec.Volumes {
		if isTokenVolume(volume) {
			return true
		}
	}
	return false
}
