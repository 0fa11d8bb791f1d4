package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"regexp"
	"time"

	"github.com/coredns/caddy"
	"github.com/coredns/coredns/core/dnsserver"
	_ "github.com/coredns/coredns/plugin/bind"
	_ "github.com/coredns/coredns/plugin/cache"
	_ "github.com/coredns/coredns/plugin/errors"
	_ "github.com/coredns/coredns/plugin/forward"
	_ "github.com/coredns/coredns/plugin/hosts"
	_ "github.com/coredns/coredns/plugin/kubernetes"
	_ "github.com/coredns/coredns/plugin/loadbalance"
	"github.com/miekg/dns"
	"k8s.io/klog/v2"
)

// startDNS serves the cluster's names on the bridge address. The service kube-dns (manifests/) leads there, so pods ask
// the usual service address. Whatever is not of the cluster goes to the servers that the container itself was given.
func startDNS(o *options, p *pki) (*caddy.Instance, error) {
	if err := dnsserver.Register(); err != nil {
		return nil, err
	}
	caddy.Quiet = true
	dnsserver.Quiet = true
	corefile := fmt.Sprintf(`.:53 {
	bind %s
	errors
	kubernetes %s in-addr.arpa ip6.arpa {
		kubeconfig %s
		pods insecure
		fallthrough in-addr.arpa ip6.arpa
		ttl 5
		startup_timeout 60s
	}
	%s
	cache 30 {
		disable success %s
		disable denial %s
	}
	loadbalance
}
`, o.bridgeAddress(), o.clusterDomain, p.kubeconfigs["dns"], forward(resolverFile), o.clusterDomain, o.clusterDomain)
	// CoreDNS turns the process's logger into its own, which would label every component's lines with its name.
	defer klog.ClearLogger()
	return caddy.Start(caddy.CaddyfileInput{Contents: []byte(corefile), Filepath: "Corefile", ServerTypeName: "dns"})
}

const resolverFile = "/etc/resolv.conf"

// forward is empty in a container without any name server: CoreDNS refuses to start with nobody to forward to.
func forward(file string) string {
	content, err := os.ReadFile(file)
	if err != nil || !regexp.MustCompile(`(?m)^\s*nameserver\s+\S`).Match(content) {
		return ""
	}
	return "forward . " + file + " {\n\t\tmax_concurrent 1000\n\t}"
}

// waitForDNS asks for the one name that every cluster has.
func waitForDNS(ctx context.Context, o *options) error {
	question := new(dns.Msg)
	question.SetQuestion("kubernetes.default.svc."+o.clusterDomain+".", dns.TypeA)
	client := &dns.Client{Timeout: 500 * time.Millisecond}
	for {
		answer, _, err := client.ExchangeContext(ctx, question, net.JoinHostPort(o.bridgeAddress(), "53"))
		if err == nil && answer.Rcode == dns.RcodeSuccess && len(answer.Answer) > 0 {
			return nil
		}
		if err == nil {
			err = fmt.Errorf("the answer was %s", dns.RcodeToString[answer.Rcode])
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("cluster DNS: %w", err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}
