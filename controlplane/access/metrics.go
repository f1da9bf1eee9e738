package access

import (
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

type metrics struct {
	reloads    *prometheus.CounterVec // by what and result
	logins     *prometheus.CounterVec // by why
	hashes     prometheus.Counter
	handshakes *prometheus.CounterVec // by why
	ended      *prometheus.CounterVec // by code
	unaudited  *prometheus.CounterVec // by why
}

func newMetrics(g *Guard, r prometheus.Registerer) (*metrics, error) {
	m := &metrics{reloads: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "fabricscope_access_reloads_total", Help: "Changed files that were read again, by what they hold and whether it could be used.",
	}, []string{"what", "result"}), logins: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "fabricscope_access_failed_logins_total", Help: "Logins that failed, by why: failed, limited after too many that did, or busy.",
	}, []string{"why"}), handshakes: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "fabricscope_access_failed_handshakes_total",
		Help: "TLS handshakes of the gRPC port that failed, by why: certificate for one that is not good, nothing for none, or other.",
	}, []string{"why"}), hashes: prometheus.NewCounter(prometheus.CounterOpts{
		Name: "fabricscope_access_password_hashes_total", Help: "Passwords that were hashed to be checked; those that passed before are not.",
	}), ended: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "fabricscope_access_ended_streams_total", Help: "Streams that ended because their callers may not call any more, by status.",
	}, []string{"code"}), unaudited: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "fabricscope_access_audit_failures_total", Help: "Lines that the audit log does not have, by why: failed to be written, the queue was full, or limited, as too many were refused from an address.",
	}, []string{"why"})}
	if r == nil {
		return m, nil
	}
	expiry := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "fabricscope_access_certificate_expiry_timestamp_seconds", Help: "When the server's certificate ends.",
	}, func() float64 { return float64(g.identity.get().Leaf.NotAfter.UnixNano()) / float64(time.Second) })
	return m, errors.Join(r.Register(m.reloads), r.Register(m.logins), r.Register(m.handshakes), r.Register(m.hashes), r.Register(m.ended), r.Register(m.unaudited), r.Register(expiry))
}
