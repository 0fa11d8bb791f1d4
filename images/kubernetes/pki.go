package main

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// The cluster's keys are made at the first start and stay on the instance's volume; no two instances share one. A
// certificate is issued again when it no longer says what is wanted (names, addresses) or is about to expire. Two
// authorities, so that a serving certificate can never be used to log in.

const (
	authorityLifetime = 20 * 365 * 24 * time.Hour
	leafLifetime      = 5 * 365 * 24 * time.Hour
	renewBefore       = 90 * 24 * time.Hour
)

type authority struct {
	certificate *x509.Certificate
	key         crypto.Signer
	file        string
}

// pki holds the files that the components are pointed at.
type pki struct {
	serverCA, clientCA, serviceAccountKey string
	apiserver, kubelet, kubeletClient     pair
	kubeconfigs                           map[string]string
	adminConfig                           *clientcmdapi.Config
}

type pair struct{ certificate, key string }

func preparePKI(o *options) (*pki, error) {
	dir := o.path("server", "tls")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	serviceIP, err := o.kubernetesServiceIP()
	if err != nil {
		return nil, err
	}
	now := time.Now()
	server, err := loadAuthority(dir, "server-ca", now)
	if err != nil {
		return nil, err
	}
	client, err := loadAuthority(dir, "client-ca", now)
	if err != nil {
		return nil, err
	}
	p := &pki{serverCA: server.file, clientCA: client.file, kubeconfigs: map[string]string{}}

	p.serviceAccountKey = filepath.Join(dir, "service-account.key")
	if _, err := loadKey(p.serviceAccountKey); err != nil {
		return nil, err
	}

	names := append([]string{
		"kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc." + o.clusterDomain,
		"localhost", "127.0.0.1", "::1", serviceIP, o.nodeIP, o.bridgeAddress(), o.nodeName,
	}, o.tlsSANs...)
	if p.apiserver, err = server.issue(dir, "apiserver", pkix.Name{CommonName: "kube-apiserver"}, names, now); err != nil {
		return nil, err
	}
	if p.kubelet, err = server.issue(dir, "kubelet", pkix.Name{CommonName: o.nodeName}, []string{o.nodeName, o.nodeIP, "127.0.0.1"}, now); err != nil {
		return nil, err
	}

	masters := []string{"system:masters"}
	if p.kubeletClient, err = client.issue(dir, "apiserver-kubelet-client", pkix.Name{CommonName: "kube-apiserver-kubelet-client", Organization: masters}, nil, now); err != nil {
		return nil, err
	}
	// The in-process components act as themselves, but as members of system:masters: their own roles exist only once
	// the API server has written them, and waiting for that would cost each a back-off. They share our memory anyway.
	for _, user := range []struct {
		name    string
		subject pkix.Name
	}{
		{"admin", pkix.Name{CommonName: "system:admin", Organization: masters}},
		{"controllers", pkix.Name{CommonName: "system:kube-controller-manager", Organization: masters}},
		{"scheduler", pkix.Name{CommonName: "system:kube-scheduler", Organization: masters}},
		{"proxy", pkix.Name{CommonName: "system:kube-proxy", Organization: masters}},
		{"dns", pkix.Name{CommonName: "system:coredns", Organization: masters}},
		{"kubelet", pkix.Name{CommonName: "system:node:" + o.nodeName, Organization: []string{"system:nodes"}}},
	} {
		keys, err := client.issue(dir, "client-"+user.name, user.subject, nil, now)
		if err != nil {
			return nil, err
		}
		config, err := kubeconfig(o, server.file, keys)
		if err != nil {
			return nil, err
		}
		path := o.path("server", "cred", user.name+".kubeconfig")
		if err := writeKubeconfig(path, config, 0o600); err != nil {
			return nil, err
		}
		p.kubeconfigs[user.name] = path
		if user.name == "admin" {
			p.adminConfig = config
		}
	}
	mode, err := strconv.ParseUint(o.kubeconfigMode, 8, 32)
	if err != nil {
		return nil, fmt.Errorf("--write-kubeconfig-mode: %q is not an octal file mode", o.kubeconfigMode)
	}
	return p, writeKubeconfig(o.kubeconfig, p.adminConfig, os.FileMode(mode))
}

func kubeconfig(o *options, caFile string, keys pair) (*clientcmdapi.Config, error) {
	ca, err := os.ReadFile(caFile)
	if err != nil {
		return nil, err
	}
	certificate, err := os.ReadFile(keys.certificate)
	if err != nil {
		return nil, err
	}
	key, err := os.ReadFile(keys.key)
	if err != nil {
		return nil, err
	}
	config := clientcmdapi.NewConfig()
	config.Clusters["default"] = &clientcmdapi.Cluster{Server: o.apiURL(), CertificateAuthorityData: ca}
	config.AuthInfos["default"] = &clientcmdapi.AuthInfo{ClientCertificateData: certificate, ClientKeyData: key}
	config.Contexts["default"] = &clientcmdapi.Context{Cluster: "default", AuthInfo: "default"}
	config.CurrentContext = "default"
	return config, nil
}

func writeKubeconfig(path string, config *clientcmdapi.Config, mode os.FileMode) error {
	content, err := clientcmd.Write(*config)
	if err != nil {
		return err
	}
	return writeFile(path, content, mode)
}

// writeFile replaces a file in one step, so that a reader (or a crash) never meets half of it.
func writeFile(path string, content []byte, mode os.FileMode) error {
	if old, err := os.ReadFile(path); err == nil && bytes.Equal(old, content) {
		return os.Chmod(path, mode)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	temporary := path + ".new"
	if err := os.WriteFile(temporary, content, mode); err != nil {
		return err
	}
	if err := os.Chmod(temporary, mode); err != nil {
		return err
	}
	return os.Rename(temporary, path)
}

func loadKey(path string) (crypto.Signer, error) {
	if content, err := os.ReadFile(path); err == nil {
		if block, _ := pem.Decode(content); block != nil {
			return x509.ParseECPrivateKey(block.Bytes)
		}
		return nil, fmt.Errorf("%s: not a PEM key; remove the file to have a new one made", path)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return nil, err
	}
	return key, writeFile(path, pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der}), 0o600)
}

func loadCertificate(path string) *x509.Certificate {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil
	}
	block, _ := pem.Decode(content)
	if block == nil {
		return nil
	}
	certificate, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil
	}
	return certificate
}

func writeCertificate(path string, der []byte) error {
	return writeFile(path, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o644)
}

func loadAuthority(dir, name string, now time.Time) (*authority, error) {
	a := &authority{file: filepath.Join(dir, name+".crt")}
	var err error
	if a.key, err = loadKey(filepath.Join(dir, name+".key")); err != nil {
		return nil, err
	}
	if a.certificate = loadCertificate(a.file); a.certificate != nil {
		return a, nil
	}
	serial, err := serialNumber()
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber:          serial,
		Subject:               pkix.Name{CommonName: fmt.Sprintf("sandbox-%s@%d", name, now.Unix())},
		NotBefore:             now.Add(-time.Hour),
		NotAfter:              now.Add(authorityLifetime),
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
		IsCA:                  true,
		BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, a.key.Public(), a.key)
	if err != nil {
		return nil, err
	}
	if a.certificate, err = x509.ParseCertificate(der); err != nil {
		return nil, err
	}
	return a, writeCertificate(a.file, der)
}

// issue makes a certificate for serving when it is given names, and for logging in when it is not.
func (a *authority) issue(dir, name string, subject pkix.Name, names []string, now time.Time) (pair, error) {
	files := pair{filepath.Join(dir, name+".crt"), filepath.Join(dir, name+".key")}
	key, err := loadKey(files.key)
	if err != nil {
		return files, err
	}
	usage := x509.ExtKeyUsageClientAuth
	if names != nil {
		usage = x509.ExtKeyUsageServerAuth
	}
	wanted := &x509.Certificate{
		Subject:     subject,
		NotBefore:   now.Add(-time.Hour),
		NotAfter:    now.Add(leafLifetime),
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{usage},
	}
	for _, san := range slices.Compact(slices.Sorted(slices.Values(names))) {
		if ip := net.ParseIP(san); ip != nil {
			wanted.IPAddresses = append(wanted.IPAddresses, ip)
		} else {
			wanted.DNSNames = append(wanted.DNSNames, san)
		}
	}
	if a.stillGood(loadCertificate(files.certificate), wanted, key, now) {
		return files, nil
	}
	if wanted.SerialNumber, err = serialNumber(); err != nil {
		return files, err
	}
	der, err := x509.CreateCertificate(rand.Reader, wanted, a.certificate, key.Public(), a.key)
	if err != nil {
		return files, err
	}
	return files, writeCertificate(files.certificate, der)
}

func (a *authority) stillGood(present, wanted *x509.Certificate, key crypto.Signer, now time.Time) bool {
	if present == nil || now.Add(renewBefore).After(present.NotAfter) || now.Before(present.NotBefore) {
		return false
	}
	public, ok := key.Public().(*ecdsa.PublicKey)
	return ok && public.Equal(present.PublicKey) &&
		present.CheckSignatureFrom(a.certificate) == nil &&
		present.Subject.String() == wanted.Subject.String() &&
		slices.Equal(present.DNSNames, wanted.DNSNames) &&
		slices.EqualFunc(present.IPAddresses, wanted.IPAddresses, net.IP.Equal)
}

func serialNumber() (*big.Int, error) {
	return rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
}
