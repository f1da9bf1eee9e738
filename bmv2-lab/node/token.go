package node

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// tokenLifetime is asked for; the API server may give less.
const tokenLifetime = time.Hour

// writeToken gets a token for the pod's service account, bound to the pod, and
// writes it with a kubeconfig that reads it to the directory. It gives the
// kubeconfig's path, which containers find in $KUBECONFIG, and when to renew.
func writeToken(ctx context.Context, client kubernetes.Interface, api *rest.Config, pod *corev1.Pod, directory string) (string, time.Time, error) {
	seconds := int64(tokenLifetime / time.Second)
	request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{
		ExpirationSeconds: &seconds,
		BoundObjectRef:    &authenticationv1.BoundObjectReference{APIVersion: "v1", Kind: "Pod", Name: pod.Name, UID: pod.UID},
	}}
	account := pod.Spec.ServiceAccountName
	answer, err := client.CoreV1().ServiceAccounts(pod.Namespace).CreateToken(ctx, account, request, metav1.CreateOptions{})
	if err != nil {
		return "", time.Time{}, fmt.Errorf("request a token for service account %s/%s: %w", pod.Namespace, account, err)
	}
	tokenFile := filepath.Join(directory, "token")
	if err := replaceFile(tokenFile, []byte(answer.Status.Token)); err != nil {
		return "", time.Time{}, fmt.Errorf("write the pod's token: %w", err)
	}
	const name = "cluster"
	config := clientcmdapi.NewConfig()
	config.Clusters[name] = &clientcmdapi.Cluster{Server: api.Host, CertificateAuthorityData: api.CAData}
	config.AuthInfos[account] = &clientcmdapi.AuthInfo{TokenFile: tokenFile}
	config.Contexts[name] = &clientcmdapi.Context{Cluster: name, AuthInfo: account, Namespace: pod.Namespace}
	config.CurrentContext = name
	content, err := clientcmd.Write(*config)
	if err != nil {
		return "", time.Time{}, fmt.Errorf("encode the pod's kubeconfig: %w", err)
	}
	path := filepath.Join(directory, "kubeconfig")
	if err := replaceFile(path, content); err != nil {
		return "", time.Time{}, fmt.Errorf("write the pod's kubeconfig: %w", err)
	}
	now := time.Now()
	return path, now.Add(answer.Status.ExpirationTimestamp.Sub(now) * 4 / 5), nil
}

// replaceFile writes a file that is whole at any moment.
func replaceFile(path string, content []byte) error {
	if err := os.WriteFile(path+".new", content, 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}
