package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/k3s-io/kine/pkg/drivers/generic"
	_ "github.com/k3s-io/kine/pkg/drivers/pgsql"
	"github.com/k3s-io/kine/pkg/endpoint"
	"google.golang.org/grpc"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/status"
)

const kineSocket = "/run/k3s-kine.sock"

// emulatedEtcd is what kine says it is. From 3.5.13 on the API server trusts watch progress notifications, which it
// needs to answer a consistent list from its cache.
const emulatedEtcd = "3.6.6"

// largestRequest is what the API server may send: etcd's own limit for its objects, and the rest of the message.
const largestRequest = 2 << 20

// kine 0.17 opens a transaction for each write and sends the write itself over a second connection of its pool. As many
// writers at a time as there are connections therefore wait for each other until their requests time out: a map of 100 tasks
// did it. So writers queue before they open anything, and there are connections for both of each, and for reading.
const (
	writersAtOnce = 4
	connections   = 2*writersAtOnce + 8
)

// limitWriters lets so many of kine's writes through at a time; the others wait as long as their own context lets them.
func limitWriters(count int) grpc.UnaryServerInterceptor {
	places := make(chan struct{}, count)
	return func(ctx context.Context, request any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
		if info.FullMethod != "/etcdserverpb.KV/Txn" {
			return next(ctx, request)
		}
		select {
		case places <- struct{}{}:
			defer func() { <-places }()
			return next(ctx, request)
		case <-ctx.Done():
			return nil, status.FromContextError(ctx.Err()).Err()
		}
	}
}

func newServer() *grpc.Server {
	return grpc.NewServer(
		grpc.MaxRecvMsgSize(largestRequest),
		// The API server's client asks every 30 s whether we are there; more often than every 5 s is not meant well.
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: 5 * time.Second}),
		grpc.UnaryInterceptor(limitWriters(writersAtOnce)),
	)
}

// startDatastore serves PostgreSQL, which has to take connections, as etcd on a Unix socket.
func startDatastore(ctx context.Context, o *options, group *sync.WaitGroup) (string, error) {
	config, err := endpoint.Listen(ctx, endpoint.Config{
		WaitGroup:            group,
		Listener:             "unix://" + kineSocket,
		Endpoint:             o.datastore,
		ConnectionPoolConfig: generic.ConnectionPoolConfig{MaxIdle: 4, MaxOpen: connections},
		GRPCServer:           newServer(),
		NotifyInterval:       5 * time.Second,
		EmulatedETCDVersion:  emulatedEtcd,
		// Compaction is the API server's business (every five minutes); these only bound each round.
		CompactTimeout:   5 * time.Second,
		CompactMinRetain: 1000,
		CompactBatchSize: 1000,
		PollBatchSize:    500,
		// Our own writes wake the poll loop; the interval only matters to a second writer, and there is none.
		PollInterval: 5 * time.Second,
	})
	if err != nil {
		return "", err
	}
	return config.Endpoints[0], nil
}

// waitForPostgres tries to log in: a server that still recovers accepts connections and refuses the log-in, so there
// is no event to wait on.
func waitForPostgres(ctx context.Context, dsn string) error {
	last := errors.New("no answer")
	for {
		connection, err := pgx.Connect(ctx, dsn)
		if err == nil {
			return connection.Close(ctx)
		}
		if ctx.Err() == nil {
			last = err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("PostgreSQL took no connection within %s: %w", startLimit, last)
		case <-time.After(20 * time.Millisecond):
		}
	}
}
