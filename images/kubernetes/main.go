// Command k3s is a whole single-node Kubernetes in one process: datastore bridge (kine), API server, scheduler,
// controllers, kubelet, kube-proxy, cluster DNS and a local volume provisioner. It is built from the upstream Go
// modules and takes the command line that k3s documents, so that a k3s binary can stand in for it.
//
// The name it is called by, or else its first argument, says what to do: `k3s server …`, `k3s kubectl …`, `kubectl …`.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"k8s.io/component-base/cli"
	"k8s.io/component-base/version"
	"k8s.io/kubectl/pkg/cmd"
)

const adminKubeconfig = "/etc/rancher/k3s/k3s.yaml"

func main() {
	name, arguments := filepath.Base(os.Args[0]), os.Args[1:]
	if name != "kubectl" && len(arguments) > 0 {
		name, arguments = arguments[0], arguments[1:]
	}
	switch name {
	case "server":
		os.Exit(serverMain(arguments))
	case "kubectl":
		os.Exit(kubectlMain(arguments))
	case "version", "--version", "-v":
		fmt.Printf("k3s-shaped Kubernetes %s\n", version.Get().GitVersion)
	default:
		fmt.Fprintln(os.Stderr, "usage: k3s server [flags] | k3s kubectl [arguments] | k3s version")
		os.Exit(2)
	}
}

// kubectlMain runs kubectl as the cluster's administrator unless the caller says otherwise.
func kubectlMain(arguments []string) int {
	if os.Getenv("KUBECONFIG") == "" {
		if _, err := os.Stat(adminKubeconfig); err == nil {
			os.Setenv("KUBECONFIG", adminKubeconfig)
		}
	}
	// kubectl looks at os.Args itself, for plugins and for its warnings.
	os.Args = append([]string{"kubectl"}, arguments...)
	return cli.Run(cmd.NewDefaultKubectlCommand())
}
