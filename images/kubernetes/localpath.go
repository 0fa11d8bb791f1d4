package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/klog/v2"
)

// A claim of the storage class local-path gets a folder on the instance's volume. The name of the provisioner and the
// class are those of Rancher's project, which users know; that one starts a helper pod for each folder, for which this
// process, which sees the same file system, has no need.
const (
	localPathProvisioner = "rancher.io/local-path"
	selectedNode         = "volume.kubernetes.io/selected-node"
	provisionedBy        = "pv.kubernetes.io/provisioned-by"
	storageProvisioner   = "volume.kubernetes.io/storage-provisioner"
)

type localPath struct {
	root, node string
	client     kubernetes.Interface
	factory    informers.SharedInformerFactory
	queue      workqueue.TypedRateLimitingInterface[string]
}

func runLocalPath(ctx context.Context, client kubernetes.Interface, root, node string) error {
	l := &localPath{
		root: root, node: node, client: client,
		factory: informers.NewSharedInformerFactory(client, 0),
		queue:   workqueue.NewTypedRateLimitingQueue(workqueue.DefaultTypedControllerRateLimiter[string]()),
	}
	defer l.queue.ShutDown()
	enqueue := func(prefix string) cache.ResourceEventHandlerFuncs {
		add := func(object any) {
			if key, err := cache.MetaNamespaceKeyFunc(object); err == nil {
				l.queue.Add(prefix + key)
			}
		}
		return cache.ResourceEventHandlerFuncs{AddFunc: add, UpdateFunc: func(_, object any) { add(object) }}
	}
	if _, err := l.factory.Core().V1().PersistentVolumeClaims().Informer().AddEventHandler(enqueue("claim:")); err != nil {
		return err
	}
	if _, err := l.factory.Core().V1().PersistentVolumes().Informer().AddEventHandler(enqueue("volume:")); err != nil {
		return err
	}
	l.factory.Storage().V1().StorageClasses().Informer()
	l.factory.Start(ctx.Done())
	l.factory.WaitForCacheSync(ctx.Done())
	go func() {
		<-ctx.Done()
		l.queue.ShutDown()
	}()
	for {
		item, stopped := l.queue.Get()
		if stopped {
			return nil
		}
		if err := l.handle(ctx, item); err != nil && ctx.Err() == nil {
			klog.ErrorS(err, "local-path", "object", item)
			l.queue.AddRateLimited(item)
		} else {
			l.queue.Forget(item)
		}
		l.queue.Done(item)
	}
}

func (l *localPath) handle(ctx context.Context, item string) error {
	if key, found := strings.CutPrefix(item, "claim:"); found {
		namespace, name, _ := cache.SplitMetaNamespaceKey(key)
		claim, err := l.factory.Core().V1().PersistentVolumeClaims().Lister().PersistentVolumeClaims(namespace).Get(name)
		if err != nil {
			return ignoreNotFound(err)
		}
		return l.provision(ctx, claim)
	}
	volume, err := l.factory.Core().V1().PersistentVolumes().Lister().Get(strings.TrimPrefix(item, "volume:"))
	if err != nil {
		return ignoreNotFound(err)
	}
	return l.reclaim(ctx, volume)
}

func ignoreNotFound(err error) error {
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}

func (l *localPath) provision(ctx context.Context, claim *corev1.PersistentVolumeClaim) error {
	if claim.Spec.VolumeName != "" || claim.DeletionTimestamp != nil || claim.Annotations[storageProvisioner] != localPathProvisioner {
		return nil
	}
	class, err := l.class(claim)
	if err != nil {
		return err
	}
	// The scheduler names the node once a pod uses the claim; a class that binds at once does not wait for that.
	late := class.VolumeBindingMode != nil && *class.VolumeBindingMode == storagev1.VolumeBindingWaitForFirstConsumer
	if late && claim.Annotations[selectedNode] == "" {
		return nil
	}
	if mode := claim.Spec.VolumeMode; mode != nil && *mode != corev1.PersistentVolumeFilesystem {
		return fmt.Errorf("claim %s/%s asks for a block device; local-path has folders only", claim.Namespace, claim.Name)
	}
	name := "pvc-" + string(claim.UID)
	path := filepath.Join(l.root, name+"_"+claim.Namespace+"_"+claim.Name)
	if err := os.MkdirAll(path, 0o777); err != nil {
		return err
	}
	// Pods run as any user; mkdir's mode has passed our umask.
	if err := os.Chmod(path, 0o777); err != nil {
		return err
	}
	_, err = l.client.CoreV1().PersistentVolumes().Create(ctx, l.volume(name, path, claim, class), metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		return nil
	}
	return err
}

func (l *localPath) class(claim *corev1.PersistentVolumeClaim) (*storagev1.StorageClass, error) {
	name := ""
	if claim.Spec.StorageClassName != nil {
		name = *claim.Spec.StorageClassName
	}
	return l.factory.Storage().V1().StorageClasses().Lister().Get(name)
}

func (l *localPath) volume(name, path string, claim *corev1.PersistentVolumeClaim, class *storagev1.StorageClass) *corev1.PersistentVolume {
	policy := corev1.PersistentVolumeReclaimDelete
	if class.ReclaimPolicy != nil {
		policy = *class.ReclaimPolicy
	}
	kind := corev1.HostPathDirectoryOrCreate
	return &corev1.PersistentVolume{
		ObjectMeta: metav1.ObjectMeta{Name: name, Annotations: map[string]string{provisionedBy: localPathProvisioner}},
		Spec: corev1.PersistentVolumeSpec{
			Capacity:                      corev1.ResourceList{corev1.ResourceStorage: claim.Spec.Resources.Requests[corev1.ResourceStorage]},
			AccessModes:                   claim.Spec.AccessModes,
			PersistentVolumeReclaimPolicy: policy,
			StorageClassName:              class.Name,
			MountOptions:                  class.MountOptions,
			ClaimRef: &corev1.ObjectReference{
				APIVersion: "v1", Kind: "PersistentVolumeClaim",
				Namespace: claim.Namespace, Name: claim.Name, UID: claim.UID, ResourceVersion: claim.ResourceVersion,
			},
			PersistentVolumeSource: corev1.PersistentVolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: path, Type: &kind}},
			NodeAffinity: &corev1.VolumeNodeAffinity{Required: &corev1.NodeSelector{NodeSelectorTerms: []corev1.NodeSelectorTerm{{
				MatchExpressions: []corev1.NodeSelectorRequirement{{
					Key: corev1.LabelHostname, Operator: corev1.NodeSelectorOpIn, Values: []string{l.node},
				}},
			}}}},
		},
	}
}

// reclaim removes the folder of a volume that lost its claim. Only a folder directly below our root is ever removed:
// the path comes from an object that others can write.
func (l *localPath) reclaim(ctx context.Context, volume *corev1.PersistentVolume) error {
	if volume.Annotations[provisionedBy] != localPathProvisioner || volume.Status.Phase != corev1.VolumeReleased ||
		volume.Spec.PersistentVolumeReclaimPolicy != corev1.PersistentVolumeReclaimDelete || volume.Spec.HostPath == nil {
		return nil
	}
	if path := filepath.Clean(volume.Spec.HostPath.Path); filepath.Dir(path) != filepath.Clean(l.root) {
		return fmt.Errorf("volume %s is at %q, which is not one of ours", volume.Name, path)
	} else if err := os.RemoveAll(path); err != nil {
		return err
	}
	return ignoreNotFound(l.client.CoreV1().PersistentVolumes().Delete(ctx, volume.Name, metav1.DeleteOptions{}))
}
