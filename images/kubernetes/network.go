package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"

	"github.com/vishvananda/netlink"
)

// prepareBridge makes the pods' bridge before the first pod does. Its address is the one stable address of the
// instance (a container's own changes with every restart): the API, the node, DNS and the platform's services are
// reached at it. The CNI plugin finds the bridge as it would have made it.
func prepareBridge(name, address string) error {
	attributes := netlink.NewLinkAttrs()
	attributes.Name = name
	if err := netlink.LinkAdd(&netlink.Bridge{LinkAttrs: attributes}); err != nil && !errors.Is(err, syscall.EEXIST) {
		return fmt.Errorf("the bridge %s can't be made: %w", name, err)
	}
	bridge, err := netlink.LinkByName(name)
	if err != nil {
		return err
	}
	wanted, err := netlink.ParseAddr(address + "/24")
	if err != nil {
		return err
	}
	if err := netlink.AddrAdd(bridge, wanted); err != nil && !errors.Is(err, syscall.EEXIST) {
		return fmt.Errorf("the bridge %s can't have the address %s: %w", name, address, err)
	}
	if err := netlink.LinkSetUp(bridge); err != nil {
		return err
	}
	return os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0o644)
}

// masquerade lets pods out with the container's own address. One rule for all of them: the bridge plugin would run
// iptables several times for each pod.
func masquerade(podCIDR, clusterCIDR string) error {
	rule := []string{"-s", podCIDR, "!", "-d", clusterCIDR, "-m", "comment", "--comment", "pods to the outside", "-j", "MASQUERADE"}
	if exec.Command("iptables", append([]string{"-w", "-t", "nat", "-C", "POSTROUTING"}, rule...)...).Run() == nil {
		return nil
	}
	if output, err := exec.Command("iptables", append([]string{"-w", "-t", "nat", "-A", "POSTROUTING"}, rule...)...).CombinedOutput(); err != nil {
		return fmt.Errorf("iptables: %w: %s", err, output)
	}
	return nil
}

// bridgeTrafficSeesIptables tells whether packets between two pods of the bridge pass iptables. Without that an answer
// goes straight to the asking pod and still carries the pod's address instead of the service's.
func bridgeTrafficSeesIptables() bool {
	const setting = "/proc/sys/net/bridge/bridge-nf-call-iptables"
	if os.WriteFile(setting, []byte("1"), 0o644) != nil {
		return false
	}
	value, err := os.ReadFile(setting)
	return err == nil && len(value) > 0 && value[0] == '1'
}
