package main

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/pflag"
)

// options is the command line of `k3s server`: the part of what k3s documents that a sandbox needs.
type options struct {
	datastore        string
	dataDir          string
	manifestDirs     []string
	kubeconfig       string
	kubeconfigMode   string
	nodeName         string
	nodeIP           string
	bindAddress      string
	listenPort       int
	clusterCIDR      string
	serviceCIDR      string
	clusterDNS       string
	clusterDomain    string
	tlsSANs          []string
	runtimeEndpoint  string
	podCIDR          string
	bridge           string
	podLogs          string
	kubeletRoot      string
	featureGates     map[string]bool
	bootstrapOnly    bool
	kubeletArgs      []string
	apiserverArgs    []string
	controllerArgs   []string
	schedulerArgs    []string
	proxyArgs        []string
	ignored          []string
	ignoredNetworkBE string
}

func parseOptions(arguments []string) (*options, error) {
	o := &options{featureGates: map[string]bool{}}
	hostname, err := os.Hostname()
	if err != nil {
		return nil, fmt.Errorf("the host name is unknown: %w", err)
	}
	var gates string
	fs := pflag.NewFlagSet("k3s server", pflag.ContinueOnError)
	fs.StringVar(&o.datastore, "datastore-endpoint", os.Getenv("K3S_DATASTORE_ENDPOINT"), "where Kubernetes keeps its objects: postgres://user:password@host/database")
	fs.StringVarP(&o.dataDir, "data-dir", "d", "/var/lib/rancher/k3s", "state of this node: certificates, manifests, volumes")
	fs.StringSliceVar(&o.manifestDirs, "manifests", strings.FieldsFunc(os.Getenv("SANDBOX_MANIFESTS"), func(r rune) bool { return r == ':' }), "further folders whose *.yaml are applied at start (repeatable)")
	fs.StringVarP(&o.kubeconfig, "write-kubeconfig", "o", adminKubeconfig, "where to write the administrator's kubeconfig")
	fs.StringVar(&o.kubeconfigMode, "write-kubeconfig-mode", "0600", "its file mode")
	fs.StringVar(&o.nodeName, "node-name", strings.ToLower(hostname), "name of the node object")
	fs.StringVarP(&o.nodeIP, "node-ip", "i", "", "address of the node (default: the pod bridge, which never changes)")
	fs.StringVar(&o.bindAddress, "bind-address", "0.0.0.0", "address the API is served on")
	fs.IntVar(&o.listenPort, "https-listen-port", 6443, "port the API is served on")
	fs.StringVar(&o.clusterCIDR, "cluster-cidr", "10.42.0.0/16", "addresses of pods")
	fs.StringVar(&o.serviceCIDR, "service-cidr", "10.43.0.0/16", "addresses of services")
	fs.StringVar(&o.clusterDNS, "cluster-dns", "10.43.0.10", "address of the DNS service")
	fs.StringVar(&o.clusterDomain, "cluster-domain", "cluster.local", "DNS domain of the cluster")
	fs.StringSliceVar(&o.tlsSANs, "tls-san", nil, "further names and addresses in the API's certificate (repeatable)")
	fs.StringVar(&o.runtimeEndpoint, "container-runtime-endpoint", "unix:///run/containerd/containerd.sock", "CRI socket")
	fs.StringVar(&o.bridge, "pod-bridge", "cni0", "bridge that the CNI configuration names")
	fs.StringVar(&o.podLogs, "pod-logs-dir", environment("SANDBOX_POD_LOGS", "/var/log/pods"), "where container output goes")
	fs.StringVar(&o.kubeletRoot, "kubelet-root-dir", "/var/lib/kubelet", "the kubelet's own state and the pods' volumes")
	fs.StringVar(&gates, "feature-gates", "", "name=true|false pairs for every component of this process")
	fs.BoolVar(&o.bootstrapOnly, "bootstrap-only", false, "start the API alone, fill the datastore, apply the manifests, and exit 0")
	fs.StringArrayVar(&o.kubeletArgs, "kubelet-arg", nil, "flag=value for the kubelet (repeatable)")
	fs.StringArrayVar(&o.apiserverArgs, "kube-apiserver-arg", nil, "flag=value for the API server (repeatable)")
	fs.StringArrayVar(&o.controllerArgs, "kube-controller-manager-arg", nil, "flag=value for the controllers (repeatable)")
	fs.StringArrayVar(&o.schedulerArgs, "kube-scheduler-arg", nil, "flag=value for the scheduler (repeatable)")
	fs.StringArrayVar(&o.proxyArgs, "kube-proxy-arg", nil, "flag=value for kube-proxy (repeatable)")
	// k3s flags that switch off things which this binary does not have: accepted so that one command line fits both.
	fs.StringSliceVar(&o.ignored, "disable", nil, "accepted and without effect: nothing is bundled that could be disabled")
	fs.StringVar(&o.ignoredNetworkBE, "flannel-backend", "none", "accepted; only \"none\" exists here")
	var ignoredFlags [6]bool
	for i, name := range []string{"disable-network-policy", "disable-cloud-controller", "disable-helm-controller", "disable-kube-proxy-metrics", "disable-apiserver-lb", "snapshotter-none"} {
		fs.BoolVar(&ignoredFlags[i], name, true, "accepted and without effect")
	}
	if err := fs.Parse(arguments); err != nil {
		return nil, err
	}
	if fs.NArg() > 0 {
		return nil, fmt.Errorf("unexpected argument %q", fs.Arg(0))
	}
	if o.ignoredNetworkBE != "none" {
		return nil, fmt.Errorf("--flannel-backend=%s: pod networking is a CNI configuration file here; only \"none\" is possible", o.ignoredNetworkBE)
	}
	for _, pair := range strings.FieldsFunc(gates, func(r rune) bool { return r == ',' }) {
		name, value, found := strings.Cut(pair, "=")
		if !found || (value != "true" && value != "false") {
			return nil, fmt.Errorf("--feature-gates: %q is not name=true or name=false", pair)
		}
		o.featureGates[name] = value == "true"
	}
	if o.datastore == "" {
		return nil, fmt.Errorf("--datastore-endpoint is missing, for example postgres://postgres:postgres@127.0.0.1:5432/kine")
	}
	return o, o.complete()
}

// environment gives what k3s has no flag for: a real k3s in our place ignores the variable instead of refusing a flag.
func environment(name, otherwise string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	return otherwise
}

// complete derives what follows from the flags. The node's pods get the first /24 of the cluster's range, and the
// bridge its first address: the CNI configuration in the image says the same.
func (o *options) complete() error {
	ip, network, err := net.ParseCIDR(o.clusterCIDR)
	if err != nil || ip.To4() == nil {
		return fmt.Errorf("--cluster-cidr: %q is not an IPv4 range", o.clusterCIDR)
	}
	o.podCIDR = fmt.Sprintf("%s/24", network.IP)
	if o.nodeIP == "" {
		o.nodeIP = o.bridgeAddress()
	}
	o.manifestDirs = append([]string{filepath.Join(o.dataDir, "server", "manifests")}, o.manifestDirs...)
	return nil
}

func (o *options) bridgeAddress() string {
	ip, _, _ := net.ParseCIDR(o.podCIDR)
	first := ip.To4()
	return net.IPv4(first[0], first[1], first[2], first[3]+1).String()
}

// kubernetesServiceIP is the address that the API server gives to the service "kubernetes": the range's first.
func (o *options) kubernetesServiceIP() (string, error) {
	_, network, err := net.ParseCIDR(o.serviceCIDR)
	if err != nil {
		return "", fmt.Errorf("--service-cidr: %w", err)
	}
	first := network.IP.To4()
	if first == nil {
		return "", fmt.Errorf("--service-cidr: %q is not an IPv4 range", o.serviceCIDR)
	}
	return net.IPv4(first[0], first[1], first[2], first[3]+1).String(), nil
}

func (o *options) path(parts ...string) string {
	return filepath.Join(append([]string{o.dataDir}, parts...)...)
}

func (o *options) apiURL() string {
	return fmt.Sprintf("https://127.0.0.1:%d", o.listenPort)
}

// flags joins a component's defaults with the user's `name=value` pairs. A user's pair comes last and so wins; a flag
// that collects values (like --controllers) is replaced, not added to.
func flags(defaults map[string]string, user []string) []string {
	merged := map[string][]string{}
	for name, value := range defaults {
		merged[name] = []string{value}
	}
	seen := map[string]bool{}
	for _, pair := range user {
		name, value, found := strings.Cut(strings.TrimLeft(pair, "-"), "=")
		if !found {
			value = "true"
		}
		if !seen[name] {
			merged[name], seen[name] = nil, true
		}
		merged[name] = append(merged[name], value)
	}
	var list []string
	for name, values := range merged {
		for _, value := range values {
			list = append(list, "--"+name+"="+value)
		}
	}
	return list
}
