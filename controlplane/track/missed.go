package track

// miss notes that reports of a switch were lost, which became known at a time in nanoseconds since
// 1970. Of which flows, is known of some of them, and says that there are others.
func (j *joiner) miss(sw string, now int64) {
	j.missed[sw] = max(j.missed[sw], now)
	j.missedLast = max(j.missedLast, now)
}

// unsure says that packets of a hop may be in a generation that nobody heard of, if the
// conversation began at a time.
func (j *joiner) unsure(h *hop, first int64) bool {
	last, missed := j.missed[j.places.list[h.place].sw]
	return missed && last >= first
}
