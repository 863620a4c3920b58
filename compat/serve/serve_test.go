package serve

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"

	"afunix"
	dropin "afunix/dropin/net"
	"afunix/internal/leaktest"
	"afunix/internal/testenv"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

// patience bounds every wait that should not last.
const patience = 20 * time.Second

// A way is how a server listens and a client dials.
type way struct {
	listen func(path string) (net.Listener, error)
	dial   func(ctx context.Context, path string) (net.Conn, error)
}

func over(t afunix.Transport) way {
	return way{
		func(path string) (net.Listener, error) {
			return (&afunix.ListenConfig{Transport: t}).Listen(context.Background(), "unix", path)
		},
		func(ctx context.Context, path string) (net.Conn, error) {
			return (&afunix.Dialer{Transport: t}).DialContext(ctx, "unix", path)
		},
	}
}

// each runs f in every way that this system has.
func each(t *testing.T, f func(t *testing.T, l net.Listener, dial func(ctx context.Context) (net.Conn, error))) {
	for name, w := range map[string]way{
		"kernel": over(afunix.KernelTransport),
		"pipe":   over(afunix.PipeTransport),
		"dropin": {
			func(path string) (net.Listener, error) { return dropin.Listen("unix", path) },
			func(ctx context.Context, path string) (net.Conn, error) {
				return new(dropin.Dialer).DialContext(ctx, "unix", path)
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			if name == "kernel" || name == "pipe" {
				skipUnlessHere(t, name)
			}
			path := filepath.Join(testenv.TempDir(t), "s")
			l, err := w.listen(path)
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			f(t, l, func(ctx context.Context) (net.Conn, error) { return w.dial(ctx, path) })
		})
	}
}

func skipUnlessHere(t *testing.T, name string) {
	t.Helper()
	transport := afunix.KernelTransport
	if name == "pipe" {
		transport = afunix.PipeTransport
	}
	a, b, err := transport.Pair("unix")
	if errors.Is(err, errors.ErrUnsupported) {
		t.Skip("not on this system")
	}
	if err != nil {
		t.Fatal(err)
	}
	a.Close()
	b.Close()
}

// Many clients at once get back what they have sent, over connections that are kept and over fresh
// ones, and Shutdown waits for them.
func TestHTTP(t *testing.T) {
	each(t, func(t *testing.T, l net.Listener, dial func(context.Context) (net.Conn, error)) {
		server := &http.Server{
			Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if _, err := io.Copy(w, r.Body); err != nil {
					t.Error(err)
				}
			}),
			ReadTimeout: patience, WriteTimeout: patience,
		}
		served := make(chan error, 1)
		go func() { served <- server.Serve(l) }()

		transport := &http.Transport{
			DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx) },
		}
		client := &http.Client{Transport: transport, Timeout: patience}
		var clients sync.WaitGroup
		for i := range 8 {
			clients.Go(func() {
				for j := range 5 {
					if err := echo(client, []byte(fmt.Sprint(i, " ", j)), 1+j*50000, j%2 == 0); err != nil {
						t.Error(err)
					}
				}
			})
		}
		clients.Wait()
		transport.CloseIdleConnections()
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		if err := server.Shutdown(ctx); err != nil {
			t.Error("Shutdown:", err)
		}
		if err := <-served; err != http.ErrServerClosed {
			t.Error("Serve:", err)
		}
	})
}

// echo posts text, repeated, and wants it back.
func echo(client *http.Client, text []byte, times int, keep bool) error {
	body := bytes.Repeat(text, times)
	request, err := http.NewRequest("POST", "http://unix/", bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Close = !keep
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	got, err := io.ReadAll(response.Body)
	if err == nil && !bytes.Equal(got, body) {
		err = fmt.Errorf("%d bytes came back, and not those %d that were sent", len(got), len(body))
	}
	return err
}

// Calls and a stream, by many clients at once; GracefulStop waits for them.
func TestGRPC(t *testing.T) {
	each(t, func(t *testing.T, l net.Listener, dial func(context.Context) (net.Conn, error)) {
		states := health.NewServer()
		states.SetServingStatus("afunix", grpc_health_v1.HealthCheckResponse_SERVING)
		server := grpc.NewServer()
		grpc_health_v1.RegisterHealthServer(server, states)
		served := make(chan error, 1)
		go func() { served <- server.Serve(l) }()

		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		var clients sync.WaitGroup
		for range 4 {
			clients.Go(func() {
				if err := callHealth(ctx, dial); err != nil {
					t.Error(err)
				}
			})
		}
		clients.Wait()
		server.GracefulStop()
		if err := <-served; err != nil {
			t.Error("Serve:", err)
		}
	})
}

// callHealth makes a connection of its own, some calls, and opens a stream whose first message it
// reads.
func callHealth(ctx context.Context, dial func(context.Context) (net.Conn, error)) error {
	conn, err := grpc.NewClient("passthrough:///afunix",
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return dial(ctx) }))
	if err != nil {
		return err
	}
	defer conn.Close()
	client := grpc_health_v1.NewHealthClient(conn)
	for range 20 {
		answer, err := client.Check(ctx, &grpc_health_v1.HealthCheckRequest{Service: "afunix"})
		if err != nil {
			return err
		}
		if answer.Status != grpc_health_v1.HealthCheckResponse_SERVING {
			return fmt.Errorf("the service is %v", answer.Status)
		}
	}
	watching, stop := context.WithCancel(ctx)
	defer stop()
	stream, err := client.Watch(watching, &grpc_health_v1.HealthCheckRequest{Service: "afunix"})
	if err != nil {
		return err
	}
	_, err = stream.Recv()
	return err
}
