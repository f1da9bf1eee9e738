package ports

import (
	"bytes"
	"fmt"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// bothWays runs a test with ports that send on the owner's goroutine and on their own.
func bothWays(t *testing.T, test func(t *testing.T, parallel bool)) {
	for name, parallel := range map[string]bool{"one": false, "parallel": true} {
		t.Run(name, func(t *testing.T) { inNamespace(t, func(t *testing.T) { test(t, parallel) }) })
	}
}

// inNamespace runs a test on a thread of its own in a new network namespace, which ends with
// the thread. Sockets that the test opens belong to the namespace.
func inNamespace(t *testing.T, test func(t *testing.T)) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			t.Errorf("new network namespace: %v (the tests of real ports need root)", err)
			return
		}
		test(t)
	}()
	<-done
}

// ip runs ip(8) in the namespace of the calling thread.
func ip(t *testing.T, args ...string) {
	t.Helper()
	if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
		t.Fatalf("ip %s: %v: %s", strings.Join(args, " "), err, out)
	}
}

// veth makes a pair NAME0 and NAME1 that sends nothing on its own.
func veth(t *testing.T, name string) {
	t.Helper()
	ip(t, "link", "add", name+"0", "mtu", "9500", "type", "veth", "peer", "name", name+"1", "mtu", "9500")
	for _, end := range []string{name + "0", name + "1"} {
		ip(t, "link", "set", end, "addrgenmode", "none")
		ip(t, "link", "set", end, "up")
	}
	m, err := openLinkMonitor()
	if err != nil {
		t.Fatal(err)
	}
	defer m.close()
	// Until the kernel's link watch has seen the carrier, it drops what is sent.
	deadline := time.Now().Add(10 * time.Second)
	for _, end := range []string{name + "0", name + "1"} {
		for l, err := m.look(end); !l.up; l, err = m.look(end) {
			if err != nil || time.Now().After(deadline) {
				t.Fatalf("link %s does not come up: %v", end, err)
			}
			time.Sleep(time.Millisecond)
		}
		ip(t, "link", "set", end, "up") // takes its turn behind the link watch
	}
}

func ethernet(etherType uint16, payload int, fill byte) []byte {
	f := []byte{2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, byte(etherType >> 8), byte(etherType)}
	return append(f, bytes.Repeat([]byte{fill}, payload)...)
}

func tagged(tpid uint16, vid uint16, f []byte) []byte {
	out := append([]byte(nil), f[:macsLen]...)
	out = append(out, byte(tpid>>8), byte(tpid), byte(vid>>8), byte(vid))
	return append(out, f[macsLen:]...)
}

func interfaces(ports ...Port) Config {
	cfg := DefaultConfig()
	cfg.Ports = ports
	return cfg
}

// pollNow polls without waiting.
func pollNow(s *Set, receive func(uint32, []byte)) error {
	s.Wake()
	return s.Poll(ReceiverFunc(receive))
}

// pollUntil polls sets in turn until ok.
func pollUntil(t *testing.T, ok func() bool, polls ...func() error) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatal("gave up after 10 s")
		}
		for _, poll := range polls {
			if err := poll(); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// Frames pass two switch ports and come out as they went in, whatever tags they carry.
func TestFramesPassUnchanged(t *testing.T) {
	bothWays(t, func(t *testing.T, parallel bool) {
		veth(t, "a")
		veth(t, "b")
		cfg := interfaces(Port{Number: 1, Interface: "a0"}, Port{Number: 2, Interface: "b0"})
		cfg.ParallelSend, cfg.PcapDir = parallel, t.TempDir()
		sw := openSet(t, cfg, Deps{})
		hosts := openSet(t, interfaces(Port{Number: 1, Interface: "a1"}, Port{Number: 2, Interface: "b1"}), Deps{})

		plain := ethernet(0x0800, 46, 1)
		frames := [][]byte{
			plain,
			ethernet(0x88b5, 1, 2), // shorter than Ethernet's minimum, as veth allows
			ethernet(0x86dd, 9000, 3),
			tagged(0x8100, 7, plain),
			tagged(0x8100, 0xe00a, plain), // priority 7
			tagged(0x88a8, 100, tagged(0x8100, 200, plain)),
			tagged(0x8100, 100, tagged(0x8100, 200, plain)),
			tagged(0x8100, 5, ethernet(0x0800, 9000, 4)),
			tagged(0x8100, 0, plain), // priority tag
			ethernet(60, 60, 5),      // IEEE 802.3 with a length
		}
		for _, f := range frames {
			hosts.Transmit(1, f)
		}
		var atSwitch, atHost [][]byte
		pollUntil(t, func() bool { return len(atHost) >= len(frames) },
			func() error {
				return pollNow(hosts, func(port uint32, f []byte) {
					if port != 2 {
						t.Errorf("a frame came back to its sender")
					}
					atHost = append(atHost, bytes.Clone(f))
				})
			},
			func() error {
				return pollNow(sw, func(port uint32, f []byte) {
					if port != 1 {
						t.Errorf("the switch received its own frame on port %d", port)
					}
					atSwitch = append(atSwitch, bytes.Clone(f))
					sw.Transmit(3-port, f)
				})
			})
		for i, want := range frames {
			if !bytes.Equal(atSwitch[i], want) {
				t.Errorf("frame %d at the switch: %x…, want %x…", i, head(atSwitch[i]), head(want))
			}
			if !bytes.Equal(atHost[i], want) {
				t.Errorf("frame %d at the host: %x…, want %x…", i, head(atHost[i]), head(want))
			}
		}
		pollUntil(t, func() bool { return sw.Stats()[1].TxFrames >= uint64(len(frames)) },
			func() error { return pollNow(sw, func(uint32, []byte) {}) })
		st := sw.Stats()
		if n := uint64(len(frames)); st[0].RxFrames != n || st[1].TxFrames != n || st[0].TxFrames != 0 ||
			st[0].RxBytes != st[1].TxBytes {
			t.Errorf("stats %+v", st)
		}
	})
}

func head(f []byte) []byte { return f[:min(len(f), 24)] }

// What does not fit the kernel's queues is counted, and nothing else is missing: neither of
// the frames that fit a slot of the ring nor of the longer ones.
func TestKernelDropsAreCounted(t *testing.T) {
	for name, c := range map[string]struct{ slots, buffer, payload int }{
		"slots":        {32, 1 << 20, 1000},
		"long frames":  {2048, 64 << 10, 5000},
		"all that fit": {2048, 32 << 20, 5000},
	} {
		t.Run(name, func(t *testing.T) {
			inNamespace(t, func(t *testing.T) {
				veth(t, "a")
				cfg := interfaces(Port{Number: 1, Interface: "a0"})
				cfg.ReceiveBuffer, cfg.ReceiveSlots = c.buffer, c.slots
				sw := openSet(t, cfg, Deps{})
				sw.tick = 20 * time.Millisecond
				host := openSet(t, interfaces(Port{Number: 1, Interface: "a1"}), Deps{})
				const n = 500
				for i := range n {
					host.Transmit(1, ethernet(0x88b5, c.payload, byte(i)))
				}
				pollUntil(t, func() bool { return host.Stats()[0].TxFrames == n },
					func() error { return pollNow(host, func(uint32, []byte) {}) })
				received := 0
				pollUntil(t, func() bool { st := sw.Stats()[0]; return st.RxFrames+st.RxQueueFull >= n },
					func() error {
						return pollNow(sw, func(_ uint32, f []byte) {
							if len(f) != 14+c.payload || f[14] != f[len(f)-1] {
								t.Errorf("a frame of %d bytes, %x to %x", len(f), f[14], f[len(f)-1])
							}
							received++
						})
					})
				st := sw.Stats()[0]
				if st.RxFrames+st.RxQueueFull != n || (st.RxQueueFull == 0) != (name == "all that fit") || received != int(st.RxFrames) {
					t.Errorf("sent %d, received %d, stats %+v", n, received, st)
				}
			})
		})
	}
}

func TestTooLongForTheLink(t *testing.T) {
	bothWays(t, func(t *testing.T, parallel bool) {
		veth(t, "a")
		ip(t, "link", "set", "a0", "mtu", "1500")
		cfg := interfaces(Port{Number: 1, Interface: "a0"})
		cfg.ParallelSend = parallel
		sw := openSet(t, cfg, Deps{})
		for _, payload := range []int{1500, 1501, 100, 9001, 1500} {
			sw.Transmit(1, ethernet(0x0800, payload, 1))
		}
		pollUntil(t, func() bool { st := sw.Stats()[0]; return st.TxFrames+st.TxRefused == 5 },
			func() error { return pollNow(sw, func(uint32, []byte) {}) })
		if st := sw.Stats()[0]; st.TxFrames != 3 || st.TxRefused != 2 {
			t.Errorf("stats %+v", st)
		}
	})
}

// The kernel tells of links: nobody has to wait for the next look at them.
func TestLinksAreTold(t *testing.T) {
	veth(t, "a")
	sw := openSet(t, interfaces(Port{Number: 1, Interface: "a0"}), Deps{})
	sw.tick, sw.recoverTick = time.Hour, time.Hour
	sw.ticked = time.Since(sw.start)
	poll := func() error { return pollNow(sw, func(uint32, []byte) {}) }
	for _, end := range []string{"a0", "a1"} { // itself, or only its carrier
		before := time.Now()
		ip(t, "link", "set", end, "down")
		pollUntil(t, func() bool { return sw.Down()[1] }, poll)
		if st := sw.Stats()[0]; st.AdminUp != (end == "a1") || !st.Present || st.Index == 0 || st.Since.Before(before) {
			t.Errorf("%s is down: %+v", end, st)
		}
		ip(t, "link", "set", end, "up")
		pollUntil(t, func() bool { return !sw.Down()[1] }, poll)
	}
	ip(t, "link", "del", "a0")
	pollUntil(t, func() bool { return sw.Down()[1] }, poll)
	if st := sw.Stats()[0]; st.Present || st.AdminUp || st.Index != 0 {
		t.Errorf("the interface is gone: %+v", st)
	}
}

// A port survives its link's going down and its interface's being deleted and made again.
func TestLinkComesBack(t *testing.T) {
	bothWays(t, func(t *testing.T, parallel bool) {
		veth(t, "a")
		cfg := interfaces(Port{Number: 1, Interface: "a0"})
		cfg.ParallelSend = parallel
		sw := openSet(t, cfg, Deps{})
		sw.tick, sw.recoverTick = 20*time.Millisecond, 20*time.Millisecond
		up := func(want bool) func() bool {
			before, was := sw.Changes(), sw.Stats()[0].Up
			return func() bool {
				return sw.Stats()[0].Up == want && sw.Down()[1] != want && (was == want || sw.Changes() > before)
			}
		}
		poll := func() error { return pollNow(sw, func(uint32, []byte) {}) }
		ping := func(what string) {
			t.Helper()
			pollUntil(t, up(true), poll)
			host := openSet(t, interfaces(Port{Number: 1, Interface: "a1"}), Deps{})
			before := sw.Stats()[0].RxFrames
			host.Transmit(1, ethernet(0x88b5, 46, 9))
			if err := pollNow(host, func(uint32, []byte) {}); err != nil {
				t.Fatal(err)
			}
			pollUntil(t, func() bool { return sw.Stats()[0].RxFrames == before+1 }, poll)
			t.Log(what)
		}
		ping("at the start")
		for _, end := range []string{"a0", "a1"} {
			ip(t, "link", "set", end, "down")
			pollUntil(t, up(false), poll)
			gone := func() uint64 { st := sw.Stats()[0]; return st.TxFrames + st.TxLinkDown }
			before := gone()
			sw.Transmit(1, ethernet(0x88b5, 46, 9)) // into the void, before the interface is up again
			pollUntil(t, func() bool { return gone() == before+1 }, poll)
			ip(t, "link", "set", end, "up")
			pollUntil(t, up(true), poll)
			ip(t, "link", "set", end, "up")
			ping(fmt.Sprintf("after %s went down", end))
		}
		ip(t, "link", "del", "a0")
		pollUntil(t, up(false), poll)
		sw.Transmit(1, ethernet(0x88b5, 46, 9))
		pollUntil(t, func() bool { return sw.Stats()[0].TxLinkDown == 2 }, poll)
		veth(t, "a")
		ping("after the interface was made again")
	})
}
