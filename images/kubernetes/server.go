package main

import (
	"context"
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
// side: PostgreSQL → kine → API server, and containerd → kubelet. When the API is ready the scheduler, the
// controllers, DNS, kube-proxy and the manifests follow at once. READY=1 goes out when the node is Ready, DNS answers
// and the manifests are in.

const (
	startLimit = 3 * time.Minute
	stopLimit  = 200 * time.Millisecond

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
		s.notify.status("failed: %v", err)
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
	defer func() {
		s.notify.send("STOPPING=1")
		stopWorkers()
		waitAtMost(&s.workers, stopLimit)
		stopAPI()
		waitAtMost(&s.api, stopLimit)
		stopDatastore()
		waitAtMost(&s.datastore, stopLimit)
	}()

	s.spawn(&s.api, "API server", apiContext, func(ctx context.Context) error {
		if _, err := startDatastore(datastoreContext, s.options, &s.datastore); err != nil {
			return fmt.Errorf("datastore: %w", err)
		}
		s.notify.status("datastore ready")
		return s.components.runAPIServer(ctx)
	})
	if !s.options.bootstrapOnly {
		s.spawn(&s.workers, "kubelet", workerContext, func(ctx context.Context) error {
			if err := dialUntil(ctx, strings.TrimPrefix(s.options.runtimeEndpoint, "unix://"), time.Minute); err != nil {
				return err
			}
			s.notify.status("container runtime ready")
			return s.components.runKubelet(ctx)
		})
	}

	ready := make(chan error, 1)
	go func() { ready <- s.start(workerContext) }()
	select {
	case err = <-ready:
		if err != nil {
			return err
		}
	case err = <-s.failed:
		return err
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

func (s *server) start(workers context.Context) error {
	ctx, cancel := context.WithTimeout(workers, startLimit)
	defer cancel()
	if err := s.waitForAPI(ctx); err != nil {
		return err
	}
	s.notify.status("API server ready")
	if s.options.bootstrapOnly {
		return s.manifests(ctx)
	}

	s.spawn(&s.workers, "scheduler", workers, s.components.runScheduler)
	s.spawn(&s.workers, "controllers", workers, s.components.runControllers)
	s.spawn(&s.workers, "local-path", workers, func(ctx context.Context) error {
		return runLocalPath(ctx, s.client, s.options.path("storage"), s.options.nodeName)
	})
	return inParallel(
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
			// A condition that an earlier run left behind says nothing about this one.
			if condition.Type == corev1.NodeReady && condition.Status == corev1.ConditionTrue &&
				!condition.LastHeartbeatTime.Before(&metav1.Time{Time: s.notify.began.Truncate(time.Second)}) {
				return true, nil
			}
		}
		return false, nil
	})
	if err != nil {
		return fmt.Errorf("the node did not become Ready: %w", err)
	}
	s.notify.status("node ready")
	return nil
}

// waitForAPI asks /readyz, which says no until the API server's own start-up steps are through. Two of them sleep a second
// before they look whether the built-in roles and priority classes exist. The baked datastore has them, so only the run that
// bakes waits for these (in a newer sandbox on an older volume what is new in them comes that second later).
func (s *server) waitForAPI(ctx context.Context) error {
	configuration, err := rest.TLSConfigFor(s.config)
	if err != nil {
		return err
	}
	configuration.NextProtos = []string{"http/1.1"}
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: configuration}, Timeout: startLimit}
	defer client.CloseIdleConnections()
	last := "no answer"
	url := s.options.apiURL() + "/readyz"
	if !s.options.bootstrapOnly {
		url += "?exclude=poststarthook/rbac/bootstrap-roles&exclude=poststarthook/scheduling/bootstrap-system-priority-classes"
	}
	for {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return err
		}
		if response, err := client.Do(request); err != nil {
			last = err.Error()
		} else {
			body, _ := io.ReadAll(io.LimitReader(response.Body, 4096))
			response.Body.Close()
			if response.StatusCode == http.StatusOK {
				return nil
			}
			if text := string(body); text != last {
				last = text
				klog.InfoS("the API server is not ready yet", "checks", failedChecks(text))
			}
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the API server did not become ready; its last answer was: %s", last)
		case <-time.After(15 * time.Millisecond):
		}
	}
}

// failedChecks picks the names of the checks that fail from the API server's answer.
func failedChecks(answer string) string {
	var names []string
	for _, line := range strings.Split(answer, "\n") {
		if name, found := strings.CutPrefix(line, "[-]"); found {
			name, _, _ = strings.Cut(name, " ")
			names = append(names, name)
		}
	}
	return strings.Join(names, " ")
}

func inParallel(steps ...func() error) error {
	results := make(chan error, len(steps))
	for _, step := range steps {
		go func() { results <- step() }()
	}
	for range steps {
		if err := <-results; err != nil {
			return err
		}
	}
	return nil
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
