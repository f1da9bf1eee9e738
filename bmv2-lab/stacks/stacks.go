package stacks

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/gopacket/gopacket/pcapgo"

	"github.com/fabricscope/fabricscope/bmv2-lab/cluster/process"
	"github.com/fabricscope/fabricscope/bmv2-lab/node/netns"
	"github.com/fabricscope/fabricscope/bmv2-lab/traffic"
)

// namespaces are the two ends of the cable.
const (
	nameA = "fabriclab-stack-a"
	nameB = "fabriclab-stack-b"
)

// grace is how long tcpdump may take to end.
const grace = 5 * time.Second

// Write makes the capture files in a directory, as root: kernel.pcap, and one for each carrier.
func Write(ctx context.Context, directory string) (err error) {
	if os.Geteuid() != 0 {
		return errors.New("it makes network namespaces: run it as root")
	}
	if err := os.MkdirAll(directory, 0o755); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, netns.Remove(nameA), netns.Remove(nameB)) }()
	path := filepath.Join(directory, "kernel.pcap")
	if err := capture(ctx, path); err != nil {
		return fmt.Errorf("capture of kernels: %w", err)
	}
	return carry(path, directory)
}

// capture has the namespaces talk, and captures what crosses the cable.
func capture(ctx context.Context, path string) error {
	var ends [2]*netns.Namespace
	for i, name := range []string{nameA, nameB} {
		if err := netns.Remove(name); err != nil { // of a run that was killed
			return err
		}
		ns, err := netns.Add(name)
		if err != nil {
			return err
		}
		defer ns.Close()
		ends[i] = ns
	}
	if err := connect(ctx, ends); err != nil {
		return err
	}
	log := path + ".log"
	dump, err := process.Start(process.Spec{Name: "tcpdump", Path: "/usr/bin/tcpdump", Log: log, Enter: ends[0].Enter,
		Args: []string{"-i", "eth0", "-U", "-B", "16384", "-Z", "root", "-w", path}})
	if err != nil {
		return err
	}
	defer os.Remove(log)
	defer dump.Stop(grace)
	if err := awaitFile(ctx, path, dump.Done()); err != nil {
		return fmt.Errorf("tcpdump: %w: %s", err, process.Tail(log, 5))
	}
	return talk(ctx, ends[0], ends[1])
}

// awaitFile waits until tcpdump captures: then it has written the file's header.
func awaitFile(ctx context.Context, path string, ended <-chan struct{}) error {
	for {
		if info, err := os.Stat(path); err == nil && info.Size() > 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ended:
			return errors.New("it ended")
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// connect makes the cable, and the kernel's tunnels over it.
func connect(ctx context.Context, ends [2]*netns.Namespace) error {
	if _, err := ends[0].Run(ctx, "", "ip", "link", "add", "eth0", "mtu", "1500", "type", "veth", "peer", "name", "eth0", "netns", nameB); err != nil {
		return err
	}
	for i, ns := range ends {
		own, peer := i+1, 2-i
		for _, line := range [][]string{
			{"ethtool", "-K", "eth0", "rx", "off", "tx", "off", "sg", "off", "tso", "off", "gso", "off", "gro", "off"},
			{"ip", "address", "add", fmt.Sprintf("10.9.0.%d/24", own), "dev", "eth0"},
			{"ip", "address", "add", fmt.Sprintf("fd09::%d/64", own), "dev", "eth0", "nodad"},
			{"ip", "link", "set", "eth0", "up"},
			{"ip", "link", "add", "vx4", "mtu", "1450", "type", "vxlan", "id", "42", "dstport", "4789",
				"local", fmt.Sprintf("10.9.0.%d", own), "remote", fmt.Sprintf("10.9.0.%d", peer), "dev", "eth0"},
			{"ip", "link", "add", "vx6", "mtu", "1430", "type", "vxlan", "id", "43", "dstport", "8472",
				"local", fmt.Sprintf("fd09::%d", own), "remote", fmt.Sprintf("fd09::%d", peer), "dev", "eth0"},
			{"ip", "address", "add", fmt.Sprintf("10.10.0.%d/24", own), "dev", "vx4"},
			{"ip", "address", "add", fmt.Sprintf("fd10::%d/64", own), "dev", "vx4", "nodad"},
			{"ip", "address", "add", fmt.Sprintf("10.11.0.%d/24", own), "dev", "vx6"},
			{"ip", "address", "add", fmt.Sprintf("fd11::%d/64", own), "dev", "vx6", "nodad"},
			{"ip", "link", "set", "vx4", "up"},
			{"ip", "link", "set", "vx6", "up"},
		} {
			if _, err := ns.Run(ctx, "", line[0], line[1:]...); err != nil {
				return err
			}
		}
	}
	return nil
}

// carry writes what was captured once more in every carrier.
func carry(path, directory string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	r, err := pcapgo.NewReader(file)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	files := map[string][]traffic.Frame{}
	for {
		data, info, err := r.ReadPacketData()
		if err != nil { // tcpdump was stopped: the last one may not be whole
			break
		}
		if info.CaptureLength < info.Length || len(data) < 14 {
			continue
		}
		for name, frame := range traffic.Carry(data) {
			files[name] = append(files[name], traffic.Frame{Data: frame})
		}
	}
	for name, frames := range files {
		if err := traffic.WriteFile(filepath.Join(directory, "kernel-in-"+name+".pcap"), frames); err != nil {
			return err
		}
	}
	return nil
}
