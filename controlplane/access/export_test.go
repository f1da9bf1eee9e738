package access

// KnowsFinding says whether there is a rule for a kind of findings.
func KnowsFinding(kind string) bool {
	_, known := plain()[kind]
	return known
}

// Methods are the RPCs that a policy can name.
func Methods() []string { return methods() }
