package sock_test

import (
	"testing"

	"pgregory.net/rapid"

	"afunix/internal/sock"
)

func TestBacklogTakesOneMoreThanItsLimit(t *testing.T) {
	for limit, want := range map[int]int{1: 2, 5: 6, 0: sock.MaxBacklog + 1, -1: sock.MaxBacklog + 1, sock.MaxBacklog + 1: sock.MaxBacklog + 1} {
		b := sock.NewBacklog[int](limit)
		n := 0
		for ; n <= 2*sock.MaxBacklog; n++ {
			if _, room := b.Admit(&sock.Place[int]{}); !room {
				break
			}
		}
		if n != want {
			t.Errorf("row 102: a limit of %d takes %d clients, want %d", limit, n, want)
		}
	}
}

func TestBacklogReadsTheFirstSixteen(t *testing.T) {
	b := sock.NewBacklog[int](0)
	for i := range 20 {
		p := &sock.Place[int]{Client: i}
		rights, room := b.Admit(p)
		if crowded := i >= 16; !room || p.Crowded() != crowded || (rights == 0) != crowded {
			t.Errorf("client %d: %d descriptors, crowded %t", i, rights, p.Crowded())
		}
	}
}

// Clients are accepted in the order in which they were admitted, each once, when its greeting is
// over; those who come to nothing hold up nobody, and of the greetings no more are under way than
// is bounded.
func TestBacklogModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limit := rapid.IntRange(1, 5).Draw(t, "limit")
		b := sock.NewBacklog[int](limit)
		var greeting, queue []*sock.Place[int]
		clients := 0
		some := func(t *rapid.T) *sock.Place[int] {
			if len(greeting) == 0 {
				t.Skip("nobody is greeted")
			}
			return rapid.SampledFrom(greeting).Draw(t, "client")
		}
		remove := func(places []*sock.Place[int], p *sock.Place[int]) (rest []*sock.Place[int]) {
			for _, other := range places {
				if other != p {
					rest = append(rest, other)
				}
			}
			return rest
		}
		t.Repeat(map[string]func(*rapid.T){
			"greet": func(t *rapid.T) {
				for range rapid.SampledFrom([]int{1, 1, 1, sock.MaxGreetings}).Draw(t, "clients") {
					clients++
					p := &sock.Place[int]{Client: clients}
					ok := b.Greet(p)
					if ok != (len(greeting) < sock.MaxGreetings) {
						t.Fatalf("%d are greeted, and one more is %t", len(greeting), ok)
					}
					if ok {
						greeting = append(greeting, p)
					}
				}
			},
			"hear": func(t *rapid.T) {
				p := some(t)
				was := p.Stage()
				if b.Hear(p); was == sock.Quiet && p.Stage() != sock.Heard || was != sock.Quiet && p.Stage() != was {
					t.Fatalf("stage %d after %d", p.Stage(), was)
				}
			},
			"admit": func(t *rapid.T) {
				p := some(t)
				if p.Stage() != sock.Heard {
					t.Skip("not heard")
				}
				_, room := b.Admit(p)
				if room != (len(queue) <= limit) {
					t.Fatalf("%d wait, and there is room %t", len(queue), room)
				}
				if room {
					queue = append(queue, p)
				} else {
					b.Forget(p)
					greeting = remove(greeting, p)
				}
			},
			"establish": func(t *rapid.T) {
				if p := some(t); p.Stage() == sock.Admitted {
					b.Establish(p)
					greeting = remove(greeting, p)
				}
			},
			"forget": func(t *rapid.T) {
				p := some(t)
				b.Forget(p)
				greeting, queue = remove(greeting, p), remove(queue, p)
			},
			"restore": func(*rapid.T) {
				if clients++; len(queue) == 0 {
					b.Restore(clients)
					queue = append(queue, b.Queue()[0])
				}
			},
			"accept": func(t *rapid.T) {
				c, ok := b.Next()
				if ready := len(queue) > 0 && queue[0].Stage() == sock.Established; ok != ready || ok && c != queue[0].Client {
					t.Fatalf("client %d is accepted %t of %d", c, ok, len(queue))
				}
				if ok {
					queue = queue[1:]
				}
			},
			"": func(t *rapid.T) {
				if len(b.Greeting()) != len(greeting) || len(b.Queue()) != len(queue) {
					t.Fatalf("%d and %d, want %d and %d", len(b.Greeting()), len(b.Queue()), len(greeting), len(queue))
				}
			},
		})
		if left := b.Clear(); len(left) != len(queue) || len(b.Queue()) != 0 {
			t.Fatalf("%d are left of %d", len(left), len(queue))
		}
	})
}
