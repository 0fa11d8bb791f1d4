package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"
)

// applyManifests brings every object of the manifest folders into the cluster, by server-side apply: repeating it
// changes nothing, and what others added to an object stays. Files go in the order of their names.
func applyManifests(ctx context.Context, config *rest.Config, dirs []string) (int, error) {
	objects, err := readManifests(dirs)
	if err != nil || len(objects) == 0 {
		return 0, err
	}
	discoverer, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		return 0, err
	}
	mapper := restmapper.NewDeferredDiscoveryRESTMapper(memory.NewMemCacheClient(discoverer))
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		return 0, err
	}
	for _, object := range objects {
		if err := applyObject(ctx, client, mapper, object); err != nil {
			return 0, fmt.Errorf("%s %q: %w", object.GetKind(), object.GetName(), err)
		}
	}
	return len(objects), nil
}

func applyObject(ctx context.Context, client dynamic.Interface, mapper *restmapper.DeferredDiscoveryRESTMapper, object *unstructured.Unstructured) error {
	kind := object.GroupVersionKind()
	// A kind may be defined by an object just applied, and is served a moment later; one that is never served must not take the whole start.
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	for {
		err := func() error {
			mapping, err := mapper.RESTMapping(kind.GroupKind(), kind.Version)
			if err != nil {
				mapper.Reset()
				return err
			}
			var target dynamic.ResourceInterface = client.Resource(mapping.Resource)
			if mapping.Scope.Name() == meta.RESTScopeNameNamespace {
				namespace := object.GetNamespace()
				if namespace == "" {
					namespace = metav1.NamespaceDefault
				}
				target = client.Resource(mapping.Resource).Namespace(namespace)
			}
			_, err = target.Apply(ctx, object.GetName(), object, metav1.ApplyOptions{FieldManager: "sandbox", Force: true})
			return err
		}()
		if err == nil || apierrors.IsInvalid(err) || apierrors.IsBadRequest(err) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func readManifests(dirs []string) ([]*unstructured.Unstructured, error) {
	var objects []*unstructured.Unstructured
	for _, dir := range dirs {
		files, err := filepath.Glob(filepath.Join(dir, "*.yaml"))
		if err != nil {
			return nil, err
		}
		slices.Sort(files)
		for _, file := range files {
			more, err := readManifest(file)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", file, err)
			}
			objects = append(objects, more...)
		}
	}
	return objects, nil
}

func readManifest(file string) ([]*unstructured.Unstructured, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var objects []*unstructured.Unstructured
	decoder := yaml.NewYAMLOrJSONDecoder(f, 4096)
	for {
		object := &unstructured.Unstructured{}
		if err := decoder.Decode(&object.Object); errors.Is(err, io.EOF) {
			return objects, nil
		} else if err != nil {
			return nil, err
		}
		if len(object.Object) > 0 {
			objects = append(objects, object)
		}
	}
}
