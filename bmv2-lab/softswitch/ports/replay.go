package ports

import (
	"cmp"
	"slices"
	"time"
)

// replay takes the frames of the ports' files instead of those of interfaces, as BMv2 does:
// in the order of their times over all files, at equal times that of the lowest port number
// first, and as fast as they are handled. It belongs to the Set's owner.
type replay struct {
	due   time.Duration // since the Set's start: not before this time
	began bool
	left  []*replayFile // files with a frame that was read and not handed over
	all   []*replayFile
}

// replayFile is the frames that arrive at one port.
type replayFile struct {
	*pcapReader
	port *port
}

func (r *replay) open(p *port) error {
	in, err := openPcap(p.Interface + "_in.pcap")
	if err != nil {
		return err
	}
	r.all = append(r.all, &replayFile{in, p})
	return nil
}

func (r *replay) close() {
	for _, f := range r.all {
		f.close()
	}
	r.all, r.left = nil, nil
}

// begin reads every file's first frame.
func (r *replay) begin() error {
	r.began = true
	slices.SortFunc(r.all, func(a, b *replayFile) int { return cmp.Compare(a.port.Number, b.port.Number) })
	for _, f := range r.all {
		more, err := f.next()
		if err != nil {
			return err
		}
		if more {
			r.left = append(r.left, f)
		}
	}
	return nil
}

// earliest is the index in left of the file whose frame is next.
func (r *replay) earliest() int {
	first := 0
	for i, f := range r.left {
		if f.at < r.left[first].at {
			first = i
		}
	}
	return first
}

// receiveFiles hands over one batch of the frames that are left.
func (s *Set) receiveFiles(now time.Duration, to Receiver) error {
	r := s.replay
	if r == nil || r.began && len(r.left) == 0 || now < r.due {
		return nil
	}
	if !r.began {
		if err := r.begin(); err != nil {
			return err
		}
	}
	for n := 0; n < batch && len(r.left) > 0; n++ {
		i := r.earliest()
		f := r.left[i]
		if len(f.frame) > MaxFrame {
			f.port.counts.rxOversize.Add(1)
		} else {
			s.arrive(f.port, f.frame, to)
		}
		more, err := f.next()
		if err != nil {
			return err
		}
		if !more {
			r.left = slices.Delete(r.left, i, i+1)
		}
	}
	if len(r.left) == 0 {
		s.deps.Log.Info("all frames of the files have arrived")
	}
	return nil
}

// wait is the time until there are frames; ok is false if there are none any more.
func (r *replay) wait(now time.Duration) (wait time.Duration, ok bool) {
	if r == nil || r.began && len(r.left) == 0 {
		return 0, false
	}
	return max(r.due-now, 0), true
}
