package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/sirupsen/logrus"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
	watchtools "k8s.io/client-go/tools/watch"
	"k8s.io/klog/v2"
)

// How a start goes. The API's port opens first, so whoever needs the API simply waits on it. Then two chains run side by
// side: PostgreSQL → kine → API server, and containerd → kubelet. When the API is ready the scheduler,
// DNS, kube-proxy and the manifests follow at once, and the controllers when it is healthy as well. READY=1 goes out when the node is
// Ready, DNS answers and the manifests are in.
//
// How long that takes is the machine's business: there is one deadline for all of it, and whoever misses it says what it waited for.

const (
	// Below PID 1's (images/node/services.json), so that the reason is ours.
	startLimit = 9 * time.Minute
	stopLimit  = 200 * time.Millisecond
	// Who fails together with others is waited for so long: one of them is the cause.
	reasonsLimit = 100 * time.Millisecond

	// The start makes garbage for a process that stays small: collecting seldom until it is done saves a tenth of the
	// time, collecting more often after that saves a third of the memory.
	startGarbagePercent  = 400
	steadyGarbagePercent = 25
)

type server struct {
	options    *options
	pki        *pki
	components *components
	notify     *notifier
	config     *rest.Config
	client     *kubernetes.Clientset
	failed     chan error
	workers    sync.WaitGroup
	datastore  sync.WaitGroup
	api        sync.WaitGroup
}

func serverMain(arguments []string) int {
	o, err := parseOptions(arguments)
	if err != nil {
		fmt.Fprintf(os.Stderr, "k3s server: %v\n", err)
		return 2
	}
	logrus.SetLevel(logrus.WarnLevel)
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(startGarbagePercent)
	}
	s := &server{options: o, notify: newNotifier(), failed: make(chan error, 16)}
	if err := s.run(); err != nil {
		s.notify.failed(err)
		return 1
	}
	return 0
}

func (s *server) run() (err error) {
	interrupted, stopListening := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stopListening()

	if err := s.prepare(); err != nil {
		return err
	}
	// Three contexts, so that a stop goes from the outside in: first whoever uses the API, then the API, then its store. Each
	// gets a moment only: every write is a transaction of the store, so there is nothing to lose by leaving.
	datastoreContext, stopDatastore := context.WithCancel(context.Background())
	apiContext, stopAPI := context.WithCancel(context.Background())
	workerContext, stopWorkers := context.WithCancel(context.Background())
	startContext, endStart := context.WithTimeout(context.Background(), startLimit)
	defer func() {
		endStart()
		s.notify.send("STOPPING=1")
		stopWorkers()
		waitAtMost(&s.workers, stopLimit)
		stopAPI()
		waitAtMost(&s.api, stopLimit)
		stopDatastore()
		waitAtMost(&s.datastore, stopLimit)
	}()

	s.spawn(&s.api, "API server", apiContext, func(ctx context.Context) error {
		if err := waitForPostgres(startContext, s.options.datastore); err != nil {
			return err
		}
		if _, err := startDatastore(datastoreContext, s.options, &s.datastore); err != nil {
			return fmt.Errorf("datastore: %w", err)
		}
		s.notify.status("datastore ready")
		return s.components.runAPIServer(ctx)
	})
	if !s.options.bootstrapOnly {
		s.spawn(&s.workers, "kubelet", workerContext, func(ctx context.Context) error {
			if err := waitForRuntime(startContext, strings.TrimPrefix(s.options.runtimeEndpoint, "unix://")); err != nil {
				return err
			}
			s.notify.status("container runtime ready")
			return s.components.runKubelet(ctx)
		})
	}

	ready := make(chan error, 1)
	go func() { ready <- s.start(startContext, workerContext) }()
	select {
	case err = <-ready:
		if err != nil {
			return s.reasons(err)
		}
	case err = <-s.failed:
		return s.reasons(err)
	case <-interrupted.Done():
		return nil
	}
	if s.options.bootstrapOnly {
		s.notify.status("datastore filled")
		return nil
	}
	s.notify.status("ready")
	s.notify.send("READY=1")
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(steadyGarbagePercent)
		debug.FreeOSMemory()
	}

	select {
	case err = <-s.failed:
		return err
	case <-interrupted.Done():
		s.notify.status("stopping")
		return nil
	}
}

// prepare does what is quick and needs nobody: certificates, the bridge, every component's flags, the API's port.
func (s *server) prepare() (err error) {
	if s.pki, err = preparePKI(s.options); err != nil {
		return fmt.Errorf("certificates: %w", err)
	}
	if !s.options.bootstrapOnly {
		if err = prepareBridge(s.options.bridge, s.options.bridgeAddress()); err != nil {
			return err
		}
		if err = masquerade(s.options.podCIDR, s.options.clusterCIDR); err != nil {
			return err
		}
	}
	if s.components, err = prepareComponents(s.options, s.pki, "unix://"+kineSocket); err != nil {
		return err
	}
	if s.config, err = clientcmd.NewDefaultClientConfig(*s.pki.adminConfig, nil).ClientConfig(); err != nil {
		return err
	}
	s.config.QPS = -1
	if s.client, err = kubernetes.NewForConfig(s.config); err != nil {
		return err
	}
	s.notify.status("prepared")
	return s.components.listenEarly(s.options)
}

// spawn runs a component until its context ends. A component that ends before that takes the whole process with it:
// PID 1 starts it anew, which is cheaper to get right than restarting a part.
func (s *server) spawn(group *sync.WaitGroup, name string, ctx context.Context, run func(context.Context) error) {
	group.Add(1)
	go func() {
		defer group.Done()
		err := run(ctx)
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			err = fmt.Errorf("it ended")
		}
		s.failed <- fmt.Errorf("%s: %w", name, err)
	}()
}

// reasons joins the first failure with those that come at the same time, the deadline's above all.
func (s *server) reasons(first error) error {
	all := []error{first}
	over := time.After(reasonsLimit)
	for {
		select {
		case err := <-s.failed:
			all = append(all, err)
		case <-over:
			return errors.Join(all...)
		}
	}
}

func (s *server) start(ctx, workers context.Context) error {
	if err := s.waitForAPI(ctx, readyPath(s.options.bootstrapOnly)); err != nil {
		return err
	}
	s.notify.status("API server ready")
	if s.options.bootstrapOnly {
		return s.manifests(ctx)
	}

	s.spawn(&s.workers, "scheduler", workers, s.components.runScheduler)
	s.spawn(&s.workers, "controllers", workers, func(workers context.Context) error {
		// They would wait themselves, but give up after ten seconds.
		if err := s.waitForAPI(ctx, "/healthz"); err != nil {
			return err
		}
		return s.components.runControllers(workers)
	})
	s.spawn(&s.workers, "local-path", workers, func(ctx context.Context) error {
		return runLocalPath(ctx, s.client, s.options.path("storage"), s.options.nodeName)
	})
	return inParallel(ctx,
		func() error { return s.manifests(ctx) },
		func() error { return s.dns(ctx) },
		func() error { return s.node(ctx, workers) },
	)
}

func (s *server) manifests(ctx context.Context) error {
	count, err := applyManifests(ctx, s.config, s.options.manifestDirs)
	if err != nil {
		return fmt.Errorf("manifests: %w", err)
	}
	s.notify.status("%d manifest objects applied", count)
	return nil
}

func (s *server) dns(ctx context.Context) error {
	if _, err := startDNS(s.options, s.pki); err != nil {
		return fmt.Errorf("cluster DNS: %w", err)
	}
	if err := waitForDNS(ctx, s.options); err != nil {
		return err
	}
	s.notify.status("cluster DNS ready")
	return nil
}

// node follows our node object. kube-proxy starts when the node has an address (it would ask for that once a second).
func (s *server) node(ctx, workers context.Context) error {
	selector := fields.OneTermEqualSelector("metadata.name", s.options.nodeName)
	source := cache.NewListWatchFromClient(s.client.CoreV1().RESTClient(), "nodes", "", selector)
	proxyStarted := false
	last := "the kubelet has not registered it"
	_, err := watchtools.UntilWithSync(ctx, source, &corev1.Node{}, nil, func(event watch.Event) (bool, error) {
		node, isNode := event.Object.(*corev1.Node)
		if !isNode || event.Type == watch.Deleted {
			return false, nil
		}
		if !proxyStarted && len(node.Status.Addresses) > 0 {
			proxyStarted = true
			s.notify.status("node registered")
			s.spawn(&s.workers, "kube-proxy", workers, s.components.runProxy)
		}
		for _, condition := range node.Status.Conditions {
			if condition.Type == corev1.NodeReady && condition.Status != corev1.ConditionTrue {
				last = condition.Message
			}
			// A condition that an earlier run left behind says nothing about this one.
			if condition.Type == corev1.NodeReady && condition.Status == corev1.ConditionTrue &&
				!condition.LastHeartbeatTime.Before(&metav1.Time{Time: s.notify.began.Truncate(time.Second)}) {
				return true, nil
			}
		}
		return false, nil
	})
	if err != nil {
		return fmt.Errorf("the node did not become Ready within %s (%s): %w", startLimit, last, err)
	}
	s.notify.status("node ready")
	return nil
}

// readyPath is /readyz, which says no until the API server's own start-up steps are through. Two of them sleep a second
// before they look whether the built-in roles and priority classes exist. The baked datastore has them, so only the run that
// bakes waits for these (in a newer sandbox on an older volume what is new in them comes that second later).
func readyPath(everything bool) string {
	if everything {
		return "/readyz"
	}
	return "/readyz?exclude=poststarthook/rbac/bootstrap-roles&exclude=poststarthook/scheduling/bootstrap-system-priority-classes"
}

// waitForAPI asks until the answer is 200.
func (s *server) waitForAPI(ctx context.Context, path string) error {
	configuration, err := rest.TLSConfigFor(s.config)
	if err != nil {
		return err
	}
	configuration.NextProtos = []string{"http/1.1"}
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: configuration}}
	defer client.CloseIdleConnections()
	last := "no answer"
	url := s.options.apiURL() + path
	for {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return err
		}
		if response, err := client.Do(request); err != nil {
			if ctx.Err() == nil {
				last = err.Error()
			}
		} else {
			body, _ := io.ReadAll(io.LimitReader(response.Body, 4096))
			response.Body.Close()
			if response.StatusCode == http.StatusOK {
				return nil
			}
			if text := describeChecks(string(body)); text != last {
				last = text
				klog.InfoS("the API server is not ready yet", "path", path, "checks", last)
			}
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the API server did not become ready within %s; its last answer: %s", startLimit, last)
		case <-time.After(15 * time.Millisecond):
		}
	}
}

// describeChecks picks the names of the checks that fail from the API server's answer; an answer without any is told as it is.
func describeChecks(answer string) string {
	var names []string
	for _, line := range strings.Split(answer, "\n") {
		if name, found := strings.CutPrefix(line, "[-]"); found {
			name, _, _ = strings.Cut(name, " ")
			names = append(names, name)
		}
	}
	if names == nil {
		return strings.TrimSpace(answer)
	}
	return strings.Join(names, " ")
}

// inParallel ends with the first failure, except at the deadline, which all that are under way miss together.
func inParallel(ctx context.Context, steps ...func() error) error {
	results := make(chan error, len(steps))
	for _, step := range steps {
		go func() { results <- step() }()
	}
	var missed []error
	for range steps {
		err := <-results
		if err != nil && ctx.Err() == nil {
			return err
		}
		missed = append(missed, err)
	}
	return errors.Join(missed...)
}

func waitAtMost(group *sync.WaitGroup, limit time.Duration) {
	done := make(chan struct{})
	go func() {
		group.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(limit):
	}
}
