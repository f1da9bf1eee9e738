package traffic

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
)

// seed is that of all that is random here: each run makes the same files.
const seed = 20260301

// Write makes capture files of every kind in a directory: mixes of whole frames, in which a
// frame comes several times and among others, and frames that were damaged.
func Write(directory string) error {
	if err := os.MkdirAll(directory, 0o755); err != nil {
		return err
	}
	for name, kinds := range map[string][]named{"native": native(), "tunnels": append(tunnelled(), sourceRoutes()...), "nested": append(nested(), almostTunnels()...),
		"classes": slices.Concat(fragments(), others(), malformed())} {
		if err := write(directory, name, mix(finish(kinds))); err != nil {
			return err
		}
	}
	if err := write(directory, "lengths", mix(append(jumbos(), cut()...))); err != nil {
		return err
	}
	return write(directory, "damaged", Damaged(5000))
}

func write(directory, name string, frames []Frame) error {
	return WriteFile(filepath.Join(directory, name+".pcap"), frames)
}

// WriteFile writes frames as a capture file.
func WriteFile(path string, frames []Frame) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	if err := WritePcap(file, frames); err != nil {
		file.Close()
		return fmt.Errorf("%s: %w", file.Name(), err)
	}
	return file.Close()
}

// mix has each frame up to four times, in an order without sense.
func mix(frames []Frame) []Frame {
	r := rand.New(rand.NewPCG(seed, uint64(len(frames))))
	var all []Frame
	for _, f := range frames {
		all = append(all, slices.Repeat([]Frame{f}, 1+r.IntN(4))...)
	}
	r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all
}

// damagedBytes are those at the start of a frame that damage is done to: all headers.
const damagedBytes = 160

// Damaged are frames of any kind in which some bytes are wrong, or the end is missing, or both.
// What they are by construction is not known.
func Damaged(n int) []Frame {
	r, all := rand.New(rand.NewPCG(seed, 0)), All()
	var frames []Frame
	for len(frames) < n {
		f := all[r.IntN(len(all))]
		data := slices.Clone(f.Data)
		how := r.IntN(3)
		if how != 1 {
			for range 1 + r.IntN(3) {
				data[r.IntN(min(len(data), damagedBytes))] = byte(r.IntN(256))
			}
		}
		if how != 0 {
			data = data[:14+r.IntN(len(data)-13)]
		}
		frames = append(frames, Frame{Name: "damaged " + f.Name, Data: data})
	}
	return frames
}
