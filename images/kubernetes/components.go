package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/spf13/pflag"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/errors"
	"k8s.io/apiserver/pkg/util/compatibility"
	utilfeature "k8s.io/apiserver/pkg/util/feature"
	cliflag "k8s.io/component-base/cli/flag"
	"k8s.io/klog/v2"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	apiserveroptions "k8s.io/kubernetes/cmd/kube-apiserver/app/options"
	controllers "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	controllersoptions "k8s.io/kubernetes/cmd/kube-controller-manager/app/options"
	proxy "k8s.io/kubernetes/cmd/kube-proxy/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
	scheduleroptions "k8s.io/kubernetes/cmd/kube-scheduler/app/options"
	kubelet "k8s.io/kubernetes/cmd/kubelet/app"
	kubeletoptions "k8s.io/kubernetes/cmd/kubelet/app/options"
	kubeletconfig "k8s.io/kubernetes/pkg/kubelet/apis/config"
)

// The upstream commands are thin shells around exported options and Run functions. We call those, because the cobra
// commands each install a signal handler (which may happen once in a process) and set the feature gates anew.
//
// All flags are parsed before anything runs: the feature gates belong to the whole process and have to be final first.
type components struct {
	apiserver   *apiserveroptions.ServerRunOptions
	controllers *controllersoptions.KubeControllerManagerOptions
	scheduler   *scheduleroptions.Options
	kubelet     *kubeletoptions.KubeletServer
	proxy       *proxy.Options
	proxyFlags  *pflag.FlagSet
}

func prepareComponents(o *options, p *pki, etcd string) (*components, error) {
	c := &components{}
	if err := utilfeature.DefaultMutableFeatureGate.SetFromMap(featureGates(o)); err != nil {
		return nil, fmt.Errorf("--feature-gates: %w", err)
	}
	for _, prepare := range []func() error{
		func() error { return c.prepareAPIServer(o, p, etcd) },
		func() error { return c.prepareControllers(o, p) },
		func() error { return c.prepareScheduler(o, p) },
		func() error { return c.prepareKubelet(o, p) },
		func() error { return c.prepareProxy(o, p) },
	} {
		if err := prepare(); err != nil {
			return nil, err
		}
	}
	return c, compatibility.DefaultComponentGlobalsRegistry.Set()
}

func featureGates(o *options) map[string]bool {
	gates := map[string]bool{
		// We are root without the right to change the machine: sysctls and oom scores that can't be set are not errors.
		"KubeletInUserNamespace": true,
		// The kubelet learns of a container's end from containerd's event, not by asking every second.
		"EventedPLEG": true,
		// One API server: a lease that names it, rewritten every ten seconds, serves nobody.
		"APIServerIdentity": false,
	}
	for name, value := range o.featureGates {
		gates[name] = value
	}
	return gates
}

func parseNamed(component string, sets cliflag.NamedFlagSets, arguments []string) error {
	all := pflag.NewFlagSet(component, pflag.ContinueOnError)
	all.SetNormalizeFunc(cliflag.WordSepNormalizeFunc)
	for _, set := range sets.FlagSets {
		all.AddFlagSet(set)
	}
	if err := all.Parse(arguments); err != nil {
		return fmt.Errorf("%s: %w", component, err)
	}
	return nil
}

func (c *components) prepareAPIServer(o *options, p *pki, etcd string) error {
	c.apiserver = apiserveroptions.NewServerRunOptions()
	issuer := "https://kubernetes.default.svc." + o.clusterDomain
	return parseNamed("kube-apiserver", c.apiserver.Flags(), flags(map[string]string{
		"advertise-address":             o.bridgeAddress(),
		"secure-port":                   fmt.Sprint(o.listenPort),
		"etcd-servers":                  etcd,
		"etcd-count-metric-poll-period": "0",
		"etcd-db-metric-poll-interval":  "0",
		// A machine that is busy is not ill.
		"etcd-healthcheck-timeout":         "20s",
		"etcd-readycheck-timeout":          "20s",
		"service-cluster-ip-range":         o.serviceCIDR,
		"authorization-mode":               "Node,RBAC",
		"allow-privileged":                 "true",
		"client-ca-file":                   p.clientCA,
		"tls-cert-file":                    p.apiserver.certificate,
		"tls-private-key-file":             p.apiserver.key,
		"service-account-issuer":           issuer,
		"service-account-signing-key-file": p.serviceAccountKey,
		"service-account-key-file":         p.serviceAccountKey,
		"kubelet-client-certificate":       p.kubeletClient.certificate,
		"kubelet-client-key":               p.kubeletClient.key,
		"kubelet-certificate-authority":    p.serverCA,
		"kubelet-preferred-address-types":  "InternalIP,Hostname",
		"enable-priority-and-fairness":     "false",
		"enable-admission-plugins":         "NodeRestriction",
		// Would taint each new node not-ready until a controller takes the taint away: a second of start time, and pods
		// that are evicted when the whole sandbox was paused for a while.
		"disable-admission-plugins": "TaintNodesByCondition,DefaultIngressClass,CertificateApproval,CertificateSigning,CertificateSubjectRestriction,ClusterTrustBundleAttest",
		"endpoint-reconciler-type":  "master-count",
		"profiling":                 "false",
		"event-ttl":                 "1h0m0s",
		"delete-collection-workers": "2",
		"audit-log-path":            "",
	}, o.apiserverArgs))
}

// listenEarly opens the API's port before the server exists. A client that connects meanwhile waits in the accept
// queue and goes on at the very moment the server serves, instead of failing and backing off for seconds.
func (c *components) listenEarly(o *options) error {
	listener, err := net.Listen("tcp4", net.JoinHostPort(o.bindAddress, fmt.Sprint(o.listenPort)))
	if err != nil {
		return fmt.Errorf("the API's port can't be opened: %w", err)
	}
	c.apiserver.SecureServing.Listener = listener
	return nil
}

func (c *components) runAPIServer(ctx context.Context) error {
	completed, err := c.apiserver.Complete(ctx)
	if err != nil {
		return err
	}
	if errs := completed.Validate(); len(errs) != 0 {
		return errors.NewAggregate(errs)
	}
	return apiserver.Run(ctx, completed)
}

// controllerNames leaves out what serves many nodes, clouds, certificate requests and bootstrap tokens.
const controllerNames = "endpoints-controller,endpointslice-controller,endpointslice-mirroring-controller," +
	"replicationcontroller-controller,replicaset-controller,deployment-controller,statefulset-controller," +
	"daemonset-controller,job-controller,cronjob-controller,pod-garbage-collector-controller," +
	"resourcequota-controller,namespace-controller,serviceaccount-controller,serviceaccount-token-controller," +
	"root-ca-certificate-publisher-controller,garbage-collector-controller,disruption-controller," +
	"persistentvolume-binder-controller,persistentvolume-attach-detach-controller," +
	"persistentvolumeclaim-protection-controller,persistentvolume-protection-controller," +
	"clusterrole-aggregation-controller,ttl-after-finished-controller,ephemeral-volume-controller," +
	"horizontal-pod-autoscaler-controller"

func (c *components) prepareControllers(o *options, p *pki) (err error) {
	if c.controllers, err = controllersoptions.NewKubeControllerManagerOptions(); err != nil {
		return err
	}
	sets := c.controllers.Flags(controllers.KnownControllers(), controllers.ControllersDisabledByDefault(), controllers.ControllerAliases())
	c.controllers.ParsedFlags = &sets
	return parseNamed("kube-controller-manager", sets, flags(map[string]string{
		"kubeconfig":                       p.kubeconfigs["controllers"],
		"controllers":                      controllerNames,
		"service-account-private-key-file": p.serviceAccountKey,
		"root-ca-file":                     p.serverCA,
		"use-service-account-credentials":  "false",
		"leader-elect":                     "false",
		"secure-port":                      "0",
		"allocate-node-cidrs":              "false",
		"cluster-cidr":                     o.clusterCIDR,
		"service-cluster-ip-range":         o.serviceCIDR,
		"profiling":                        "false",
		"kube-api-qps":                     "200",
		"kube-api-burst":                   "400",
		"enable-dynamic-provisioning":      "true",
	}, o.controllerArgs))
}

func (c *components) runControllers(ctx context.Context) error {
	config, err := c.controllers.Config(ctx, controllers.KnownControllers(), controllers.ControllersDisabledByDefault(), controllers.ControllerAliases())
	if err != nil {
		return err
	}
	return controllers.Run(ctx, config.Complete())
}

func (c *components) prepareScheduler(o *options, p *pki) error {
	c.scheduler = scheduleroptions.NewOptions()
	return parseNamed("kube-scheduler", *c.scheduler.Flags, flags(map[string]string{
		"kubeconfig":     p.kubeconfigs["scheduler"],
		"leader-elect":   "false",
		"secure-port":    "0",
		"profiling":      "false",
		"kube-api-qps":   "200",
		"kube-api-burst": "400",
	}, o.schedulerArgs))
}

func (c *components) runScheduler(ctx context.Context) error {
	config, instance, err := scheduler.Setup(ctx, c.scheduler)
	if err != nil {
		return err
	}
	return scheduler.Run(ctx, config, instance)
}

func (c *components) prepareKubelet(o *options, p *pki) error {
	config, err := kubeletoptions.NewKubeletConfiguration()
	if err != nil {
		return err
	}
	resolver, err := writeResolverConfig(o)
	if err != nil {
		return err
	}
	config.Address = o.bridgeAddress()
	config.HealthzPort = 0
	config.ReadOnlyPort = 0
	config.TLSCertFile = p.kubelet.certificate
	config.TLSPrivateKeyFile = p.kubelet.key
	config.Authentication.Anonymous.Enabled = false
	config.Authentication.X509.ClientCAFile = p.clientCA
	config.Authorization.Mode = kubeletconfig.KubeletAuthorizationModeWebhook
	config.ClusterDomain = o.clusterDomain
	config.ClusterDNS = []string{o.clusterDNS}
	config.ResolverConfig = resolver
	config.ContainerRuntimeEndpoint = o.runtimeEndpoint
	config.ImageServiceEndpoint = o.runtimeEndpoint
	config.PodLogsDir = o.podLogs
	config.MaxPods = 250 // one /24 of addresses

	// The container that we are in: cgroup v1 hosts exist, swap and disk space are the host's business, and what is
	// not limited outside can't be reserved inside.
	config.CgroupDriver = "cgroupfs"
	config.FailCgroupV1 = false
	config.FailSwapOn = false
	config.EnforceNodeAllocatable = nil
	config.ProtectKernelDefaults = false
	config.OOMScoreAdj = 0
	config.EvictionHard = map[string]string{
		"memory.available": "0%", "nodefs.available": "0%", "nodefs.inodesFree": "0%",
		"imagefs.available": "0%", "imagefs.inodesFree": "0%",
	}
	// Images are here because somebody wants them: never collected behind the user's back.
	config.ImageGCHighThresholdPercent = 100
	config.ImageGCLowThresholdPercent = 99

	// Speed: nothing is queued behind something else, and nothing is rationed on a machine of one's own.
	config.SerializeImagePulls = false
	config.RegistryPullQPS = 0
	config.EventRecordQPS = 0
	config.KubeAPIQPS = 200
	config.KubeAPIBurst = 400
	config.VolumeStatsAggPeriod = metav1.Duration{Duration: -1}
	config.EnableProfilingHandler = false
	config.EnableDebugFlagsHandler = false
	config.EnableSystemLogHandler = false
	config.ShutdownGracePeriod = metav1.Duration{}
	config.ContainerLogMaxSize = "20Mi"
	config.ContainerLogMaxFiles = 3

	kubeletFlags := kubeletoptions.NewKubeletFlags()
	fs := pflag.NewFlagSet("kubelet", pflag.ContinueOnError)
	fs.SetNormalizeFunc(cliflag.WordSepNormalizeFunc)
	kubeletFlags.AddFlags(fs)
	kubeletoptions.AddKubeletConfigFlags(fs, config)
	if err := fs.Parse(flags(map[string]string{
		"kubeconfig":        p.kubeconfigs["kubelet"],
		"hostname-override": o.nodeName,
		"node-ip":           o.nodeIP,
		"root-dir":          o.kubeletRoot,
		"cert-dir":          o.path("agent", "kubelet"),
	}, o.kubeletArgs)); err != nil {
		return fmt.Errorf("kubelet: %w", err)
	}
	if err := kubeletoptions.ValidateKubeletFlags(kubeletFlags); err != nil {
		return fmt.Errorf("kubelet: %w", err)
	}
	if err := utilfeature.DefaultMutableFeatureGate.SetFromMap(config.FeatureGates); err != nil {
		return fmt.Errorf("kubelet: %w", err)
	}
	c.kubelet = &kubeletoptions.KubeletServer{KubeletFlags: *kubeletFlags, KubeletConfiguration: *config}
	return nil
}

// writeResolverConfig gives pods that want the node's DNS our own: the node's may be Docker's, which listens on a
// loopback address that no pod can reach.
func writeResolverConfig(o *options) (string, error) {
	path := o.path("agent", "resolv.conf")
	return path, writeFile(path, []byte("nameserver "+o.bridgeAddress()+"\n"), 0o644)
}

func (c *components) runKubelet(ctx context.Context) error {
	dependencies, err := kubelet.UnsecuredDependencies(ctx, c.kubelet, utilfeature.DefaultFeatureGate)
	if err != nil {
		return err
	}
	return kubelet.Run(ctx, c.kubelet, dependencies, utilfeature.DefaultFeatureGate)
}

func (c *components) prepareProxy(o *options, p *pki) error {
	c.proxy = proxy.NewOptions()
	c.proxyFlags = pflag.NewFlagSet("kube-proxy", pflag.ContinueOnError)
	c.proxyFlags.SetNormalizeFunc(cliflag.WordSepNormalizeFunc)
	c.proxy.AddFlags(c.proxyFlags)
	if err := c.proxyFlags.Parse(flags(map[string]string{
		"kubeconfig":               p.kubeconfigs["proxy"],
		"hostname-override":        o.nodeName,
		"proxy-mode":               "iptables",
		"cluster-cidr":             o.clusterCIDR,
		"healthz-bind-address":     "",
		"metrics-bind-address":     "127.0.0.1:10249",
		"iptables-min-sync-period": "100ms",
		"masquerade-all":           fmt.Sprint(!bridgeTrafficSeesIptables()),
		// The connection table's size belongs to the host and can't be raised from inside a container.
		"conntrack-max-per-core":            "0",
		"conntrack-min":                     "0",
		"conntrack-tcp-timeout-established": "0s",
		"conntrack-tcp-timeout-close-wait":  "0s",
		"profiling":                         "false",
	}, o.proxyArgs)); err != nil {
		return fmt.Errorf("kube-proxy: %w", err)
	}
	return nil
}

func (c *components) runProxy(ctx context.Context) error {
	if err := c.proxy.Complete(c.proxyFlags); err != nil {
		return err
	}
	if err := c.proxy.Validate(); err != nil {
		return err
	}
	return c.proxy.Run(ctx)
}

// waitForRuntime waits for a Unix socket that takes connections. containerd announces itself to PID 1 only; a connect
// attempt costs microseconds, which beats watching a folder that may not exist yet.
func waitForRuntime(ctx context.Context, path string) error {
	for {
		connection, err := net.Dial("unix", path)
		if err == nil {
			return connection.Close()
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("no container runtime within %s: %w", startLimit, err)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func init() {
	// klog writes through to stderr at once; PID 1 keeps the log.
	klog.SetOutput(os.Stderr)
}
