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
)

const kineSocket = "/run/k3s-kine.sock"

// emulatedEtcd is what kine says it is. From 3.5.13 on the API server trusts watch progress notifications, which it
// needs to answer a consistent list from its cache.
const emulatedEtcd = "3.6.6"

// startDatastore serves PostgreSQL, which has to take connections, as etcd on a Unix socket.
func startDatastore(ctx context.Context, o *options, group *sync.WaitGroup) (string, error) {
	config, err := endpoint.Listen(ctx, endpoint.Config{
		WaitGroup:            group,
		Listener:             "unix://" + kineSocket,
		Endpoint:             o.datastore,
		ConnectionPoolConfig: generic.ConnectionPoolConfig{MaxIdle: 4, MaxOpen: 12},
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
