package main

import (
	"fmt"
	"net"
	"os"
	"sync"
	"time"
)

// notifier speaks the sd_notify protocol to the process that started us. The variable is taken out of the environment,
// because the API server and the kubelet would each announce READY=1 for themselves long before the whole is.
type notifier struct {
	mu         sync.Mutex
	connection net.Conn
	began      time.Time
}

func newNotifier() *notifier {
	n := &notifier{began: time.Now()}
	if path := os.Getenv("NOTIFY_SOCKET"); path != "" {
		os.Unsetenv("NOTIFY_SOCKET")
		if path[0] == '@' {
			path = "\x00" + path[1:]
		}
		connection, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: path, Net: "unixgram"})
		if err != nil {
			fmt.Fprintf(os.Stderr, "the notification socket does not answer: %v\n", err)
		} else {
			n.connection = connection
		}
	}
	return n
}

func (n *notifier) send(message string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.connection != nil {
		n.connection.Write([]byte(message))
	}
}

// status reports progress: to the supervisor for its table, and to the log with the time since the start.
func (n *notifier) status(format string, arguments ...any) {
	text := fmt.Sprintf(format, arguments...)
	fmt.Fprintf(os.Stderr, "[%7.3fs] %s\n", time.Since(n.began).Seconds(), text)
	n.send("STATUS=" + text)
}

// failed says why the process is about to end, as sd_notify(3) has it. The supervisor keeps all lines of it.
func (n *notifier) failed(err error) {
	fmt.Fprintf(os.Stderr, "[%7.3fs] failed: %v\n", time.Since(n.began).Seconds(), err)
	n.send("ERRNO=1\nSTATUS=" + err.Error())
}
