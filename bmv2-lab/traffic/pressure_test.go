package traffic

import "testing"

func TestPressure(t *testing.T) {
	const flows = 1000
	packets := map[Key]int{}
	frames := Pressure(flows)
	for _, f := range frames {
		packets[f.Key]++
	}
	if len(packets) != flows || len(frames) != flows+flows*talkShare/100*(talkPackets-1) {
		t.Fatalf("%d frames of %d flows", len(frames), len(packets))
	}
	talks := 0
	for _, n := range packets {
		if n == talkPackets {
			talks++
		} else if n != 1 {
			t.Errorf("a flow of %d packets", n)
		}
	}
	if talks != flows*talkShare/100 {
		t.Errorf("%d flows talk", talks)
	}
}
