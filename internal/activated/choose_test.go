package activated

import (
	"net/netip"
	"testing"
)

func at(s string) Place { return Place{IP: netip.MustParseAddrPort(s)} }

func anyHost(port uint16) Place { return Place{IP: netip.AddrPortFrom(netip.Addr{}, port)} }

// Each list is what a service manager may pass; what is asked for, in which order, and which socket
// that is (-1: none).
func TestChoose(t *testing.T) {
	type asked struct {
		Request
		want int
	}
	ask := func(name, network string, want int, places ...Place) asked {
		return asked{Request{name, network, places}, want}
	}
	tcp := func(name, addr string) Candidate { return Candidate{Name: name, Network: "tcp", Place: at(addr)} }
	udp := func(name, addr string) Candidate { return Candidate{Name: name, Network: "udp", Place: at(addr)} }
	unix := func(name, network, path string) Candidate {
		return Candidate{Name: name, Network: network, Place: Place{Path: path}}
	}
	other := func(name string) Candidate { return Candidate{Name: name} }
	for _, test := range []struct {
		name   string
		passed []Candidate
		asked  []asked
	}{
		{"nothing", nil, []asked{ask("web", "tcp", -1, anyHost(80))}},
		{"one name, two networks", []Candidate{udp("web", "[::]:443"), tcp("web", "[::]:443")}, []asked{
			ask("web", "tcp", 1, anyHost(443)), ask("web", "udp", 0, anyHost(443)),
		}},
		{"one name, two networks, elsewhere", []Candidate{udp("web", "[::]:443"), tcp("web", "[::]:443")}, []asked{
			ask("web", "tcp", 1, anyHost(1)), ask("web", "udp", 0, anyHost(1)),
		}},
		{"one name, two ports", []Candidate{tcp("web", "[::]:8181"), tcp("web", "[::]:8182")}, []asked{
			ask("web", "tcp", -1, anyHost(9000)), ask("web", "tcp", 1, anyHost(8182)), ask("web", "tcp", 0, anyHost(8181)),
		}},
		{"one name, two ports: what is left is not what is asked for", []Candidate{tcp("web", "[::]:8181"), tcp("web", "[::]:8182")}, []asked{
			ask("web", "tcp", 1, anyHost(8182)), ask("web", "tcp", -1, anyHost(9000)),
		}},
		{"one name, stream and seqpacket", []Candidate{
			unix("ctl", "unix", "/run/a"), unix("ctl", "unixpacket", "/run/b"), unix("ctl", "unixgram", "/run/c"),
		}, []asked{
			ask("ctl", "unixpacket", 1, Place{Path: "/x"}), ask("ctl", "unix", 0, Place{Path: "/x"}), ask("ctl", "unixgram", 2, Place{Path: "/x"}),
		}},
		{"no names", []Candidate{tcp(Unnamed, "0.0.0.0:80"), tcp(Unnamed, "[::]:81"), udp(Unnamed, "[::]:80")}, []asked{
			ask("web", "tcp", 1, anyHost(81)), ask("", "tcp", 0, anyHost(80)), ask("dns", "udp", 2, anyHost(80)), ask("more", "tcp", -1, anyHost(80)),
		}},
		{"no name, and asked for without one", []Candidate{tcp(Unnamed, "[::]:8080")}, []asked{ask("", "tcp", 0, anyHost(80))}},
		{"no name, and asked for with one", []Candidate{tcp(Unnamed, "[::]:8080")}, []asked{ask("web", "tcp", -1, anyHost(80))}},
		{"the unit's name", []Candidate{tcp("app.socket", "[::]:80"), unix("app.socket", "unix", "/run/app")}, []asked{
			ask("web", "tcp", 0, anyHost(80)), ask("ctl", "unix", 1, Place{Path: "/run/app"}),
		}},
		{"the name counts before the place", []Candidate{tcp("a", "[::]:80"), tcp("b", "[::]:81")}, []asked{
			ask("a", "tcp", 0, anyHost(81)), ask("b", "tcp", 1, anyHost(80)),
		}},
		{"one socket that is passed twice", []Candidate{tcp("web", "[::]:80"), tcp("web", "[::]:80")}, []asked{
			ask("web", "tcp", 0, anyHost(1)), ask("web", "tcp", 1, anyHost(2)),
		}},
		{"no socket", []Candidate{other("web"), tcp("web", "[::]:80")}, []asked{ask("web", "tcp", 1, anyHost(1))}},
		{"nothing but no socket", []Candidate{other("web")}, []asked{ask("web", "tcp", -1, anyHost(80)), ask("web", "unix", -1, Place{Path: "/x"})}},
		{"hosts", []Candidate{tcp("a", "127.0.0.1:80"), tcp("a", "[::1]:80"), tcp("a", "[fe80::1%eth0]:80"), tcp("a", "[::]:81")}, []asked{
			ask("x", "tcp", -1, at("127.0.0.2:80")), ask("x", "tcp", 2, at("[fe80::1%eth0]:80")),
			ask("x", "tcp", -1, at("[fe80::1]:80")), ask("x", "tcp", 0, at("[::1]:80"), at("127.0.0.1:80")),
		}},
		{"who asks for one host does not get all", []Candidate{tcp(Unnamed, "[::]:80")}, []asked{ask("web", "tcp", -1, at("127.0.0.1:80"))}},
		{"who asks for all does not get one host", []Candidate{tcp(Unnamed, "127.0.0.1:80")}, []asked{ask("web", "tcp", -1, anyHost(80))}},
		{"any host", []Candidate{tcp("a", "[::]:80"), tcp("b", "0.0.0.0:80")}, []asked{
			ask("x", "tcp", 1, at("0.0.0.0:80")), ask("x", "tcp", 0, at("0.0.0.0:80")),
		}},
		{"versions of IP", []Candidate{tcp("web", "[::]:80"), tcp("web", "0.0.0.0:80")}, []asked{
			ask("web", "tcp4", 1, anyHost(80)), ask("web", "tcp4", -1, anyHost(80)), ask("web", "tcp6", 0, anyHost(80)),
		}},
		{"a version of IP, by the name", []Candidate{tcp("web", "[::]:80")}, []asked{ask("web", "tcp4", 0, anyHost(80))}},
		{"wherever there is room", []Candidate{tcp(Unnamed, "127.0.0.1:80")}, []asked{ask("web", "tcp", -1, at("127.0.0.1:0"))}},
		{"paths", []Candidate{unix("app.socket", "unix", "/run/a"), unix("app.socket", "unix", "@a")}, []asked{
			ask("ctl", "unix", 1, Place{Path: "@a"}), ask("ctl", "unix", -1, Place{Path: "/run/b"}), ask("ctl", "unix", 0, Place{Path: "/run/a"}),
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, a := range test.asked {
				got := Choose(a.Request, test.passed)
				if got != a.want {
					t.Errorf("%+v is %d, not %d", a.Request, got, a.want)
				}
				if got >= 0 {
					test.passed[got].Used = true
				}
			}
		})
	}
}
