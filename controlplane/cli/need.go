package cli

// What commands read of pods and services. A large cluster has millions of leaves, so that a command asks for those alone
// that it shows or filters by.
const (
	placesPath  = podsPath + "/pod/attachments/attachment/state"
	membersPath = servicesPath + "/service/members/member"
)

// beneath gives the paths of things beneath one.
func beneath(path string, names ...string) []string {
	paths := make([]string, len(names))
	for i, n := range names {
		paths[i] = path + "/" + n
	}
	return paths
}

// podPaths are what rows of pods are made of. all says that everything is shown of them.
func (f *filters) podPaths(all bool) []string {
	paths := beneath(podsPath+"/pod/state", "uid", "namespace", "name", "ip", "node")
	if all {
		paths = beneath(podsPath+"/pod", "state")
	}
	paths = append(paths, placesPath)
	if all || f.selector != nil {
		paths = append(paths, podsPath+"/pod/labels/label/state")
	}
	if all || f.service != "" {
		paths = append(paths, membersPath+"/pod-uid")
	}
	return paths
}

// servicePaths are what rows of services are made of.
func (f *filters) servicePaths(all bool) []string {
	paths := beneath(servicesPath+"/service", "state", "ports", "vips")
	if all {
		paths = append(paths, servicesPath+"/service/selectors")
	}
	if all || f.selector != nil {
		paths = append(paths, servicesPath+"/service/labels")
	}
	if all || f.pod != "" || f.on != "" || f.port != "" {
		return append(paths, membersPath+"/state", placesPath)
	}
	return append(paths, membersPath+"/state/ready")
}

// differencePaths are what two moments are compared by.
func (f *filters) differencePaths() []string {
	paths := append(beneath(podsPath+"/pod/state", "uid", "namespace", "name", "ip", "node", "ready"), clusterStatePath)
	paths = append(paths, beneath(placesPath, "switch", "interface", "port-number")...)
	paths = append(paths, beneath(servicesPath+"/service", "state", "ports", "vips")...)
	paths = append(paths, beneath(membersPath+"/state", "address", "pod", "pod-uid", "ready")...)
	if f.selector != nil {
		paths = append(paths, podsPath+"/pod/labels/label/state", servicesPath+"/service/labels")
	}
	if f.things() {
		return paths
	}
	return append(paths, nodesPath+"/node/state", linksPath, endpointsPath, portsPath)
}

// namePaths are what explain needs.
func namePaths() []string {
	return append(append(beneath(podsPath+"/pod/state", "namespace", "name"), beneath(servicesPath+"/service/state", "namespace", "name")...),
		placesPath, clusterStatePath)
}
