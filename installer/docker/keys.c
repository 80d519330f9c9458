/* SPDX-License-Identifier: Apache-2.0 */
#include "docker/keys.h"

#include <string.h>

#define VALUE(key, flag, letter, class)	{ key, flag, letter, false, false, class, NULL }
#define MAP(key, flag, class)		{ key, flag, 0, false, true, class, NULL }
#define SWITCH(key, flag, letter, class)	{ key, flag, letter, true, false, class, NULL }
#define LIVE(key, flag, takeback)	{ key, flag, 0, false, false, KEY_RELOAD, takeback }
#define LIVE_SWITCH(key, flag, letter)	{ key, flag, letter, true, false, KEY_RELOAD, "false" }

const struct docker_key docker_keys[] = {
	{ "runtimes", "add-runtime", 0, false, true, KEY_RELOAD, "{}" },
	LIVE("default-runtime", "default-runtime", "\"runc\""),
	LIVE("default-shm-size", "default-shm-size", "\"64M\""),
	LIVE("default-ipc-mode", "default-ipc-mode", NULL),
	LIVE("default-cgroupns-mode", "default-cgroupns-mode", NULL),
	LIVE("max-concurrent-downloads", "max-concurrent-downloads", "3"),
	LIVE("max-concurrent-uploads", "max-concurrent-uploads", "5"),
	LIVE("max-download-attempts", "max-download-attempts", "5"),
	LIVE("shutdown-timeout", "shutdown-timeout", "15"),
	LIVE("default-stop-timeout", "default-stop-timeout", NULL),
	LIVE("labels", "label", "[]"),
	LIVE("insecure-registries", "insecure-registry", "[]"),
	LIVE("registry-mirrors", "registry-mirror", "[]"),
	LIVE("allow-nondistributable-artifacts", "allow-nondistributable-artifacts", "[]"),
	LIVE("network-diagnostic-port", "network-diagnostic-port", NULL),
	LIVE("nri-opts", "nri-opts", NULL),
	LIVE_SWITCH("debug", "debug", 'D'),
	LIVE_SWITCH("live-restore", "live-restore", 0),

	/* A reload takes them up, but one that names a plugin which is not there kills dockerd. */
	VALUE("authorization-plugins", "authorization-plugin", 0, KEY_RESTART),
	/* Some features are read at the start only, and containerd-snapshotter hides every
	 * container. */
	MAP("features", "feature", KEY_RESTART),

	VALUE("data-root", "data-root", 'g', KEY_REFUSED_RUNNING),
	VALUE("graph", "graph", 0, KEY_REFUSED_RUNNING),
	VALUE("exec-root", "exec-root", 0, KEY_REFUSED_RUNNING),
	VALUE("userns-remap", "userns-remap", 0, KEY_REFUSED_RUNNING),
	VALUE("storage-driver", "storage-driver", 's', KEY_REFUSED_RUNNING),
	VALUE("containerd", "containerd", 0, KEY_REFUSED_RUNNING),
	VALUE("containerd-namespace", "containerd-namespace", 0, KEY_REFUSED_RUNNING),

	VALUE("bip", "bip", 0, KEY_BRIDGE),
	VALUE("bip6", "bip6", 0, KEY_BRIDGE),
	VALUE("bridge", "bridge", 'b', KEY_BRIDGE),
	VALUE("default-gateway", "default-gateway", 0, KEY_BRIDGE),
	VALUE("default-gateway-v6", "default-gateway-v6", 0, KEY_BRIDGE),
	VALUE("fixed-cidr", "fixed-cidr", 0, KEY_BRIDGE),
	VALUE("fixed-cidr-v6", "fixed-cidr-v6", 0, KEY_BRIDGE),
	VALUE("mtu", "mtu", 0, KEY_BRIDGE),
	VALUE("ip", "ip", 0, KEY_BRIDGE),
	MAP("default-network-opts", "default-network-opt", KEY_BRIDGE),
	SWITCH("icc", "icc", 0, KEY_BRIDGE),
	SWITCH("ipv6", "ipv6", 0, KEY_BRIDGE),
	SWITCH("ip-masq", "ip-masq", 0, KEY_BRIDGE),
	SWITCH("iptables", "iptables", 0, KEY_BRIDGE),
	SWITCH("ip6tables", "ip6tables", 0, KEY_BRIDGE),
	SWITCH("allow-direct-routing", "allow-direct-routing", 0, KEY_BRIDGE),
	VALUE("firewall-backend", "firewall-backend", 0, KEY_BRIDGE),
	VALUE("bridge-accept-fwmark", "bridge-accept-fwmark", 0, KEY_BRIDGE),

	VALUE("hosts", "host", 'H', KEY_RESTART),
	VALUE("group", "group", 'G', KEY_RESTART),
	VALUE("pidfile", "pidfile", 'p', KEY_RESTART),
	VALUE("log-level", "log-level", 'l', KEY_RESTART),
	VALUE("log-format", "log-format", 0, KEY_RESTART),
	VALUE("log-driver", "log-driver", 0, KEY_RESTART),
	MAP("log-opts", "log-opt", KEY_RESTART),
	VALUE("api-cors-header", "api-cors-header", 0, KEY_RESTART),
	VALUE("min-api-version", NULL, 0, KEY_RESTART),
	MAP("builder", NULL, KEY_RESTART),
	VALUE("cdi-spec-dirs", "cdi-spec-dir", 0, KEY_RESTART),
	VALUE("cgroup-parent", "cgroup-parent", 0, KEY_RESTART),
	VALUE("cluster-advertise", "cluster-advertise", 0, KEY_RESTART),
	VALUE("cluster-store", "cluster-store", 0, KEY_RESTART),
	MAP("cluster-store-opts", "cluster-store-opt", KEY_RESTART),
	VALUE("containerd-plugin-namespace", "containerd-plugins-namespace", 0, KEY_RESTART),
	VALUE("cpu-rt-period", "cpu-rt-period", 0, KEY_RESTART),
	VALUE("cpu-rt-runtime", "cpu-rt-runtime", 0, KEY_RESTART),
	VALUE("default-address-pools", "default-address-pool", 0, KEY_RESTART),
	MAP("default-ulimits", "default-ulimit", KEY_RESTART),
	VALUE("dns", "dns", 0, KEY_RESTART),
	VALUE("dns-opts", "dns-opt", 0, KEY_RESTART),
	VALUE("dns-search", "dns-search", 0, KEY_RESTART),
	VALUE("exec-opts", "exec-opt", 0, KEY_RESTART),
	VALUE("host-gateway-ip", "host-gateway-ip", 0, KEY_RESTART),
	VALUE("host-gateway-ips", NULL, 0, KEY_RESTART),
	VALUE("http-proxy", "http-proxy", 0, KEY_RESTART),
	VALUE("https-proxy", "https-proxy", 0, KEY_RESTART),
	VALUE("no-proxy", "no-proxy", 0, KEY_RESTART),
	MAP("proxies", NULL, KEY_RESTART),
	VALUE("init-path", "init-path", 0, KEY_RESTART),
	VALUE("metrics-addr", "metrics-addr", 0, KEY_RESTART),
	VALUE("network-control-plane-mtu", "network-control-plane-mtu", 0, KEY_RESTART),
	VALUE("node-generic-resources", "node-generic-resource", 0, KEY_RESTART),
	VALUE("oom-score-adjust", "oom-score-adjust", 0, KEY_RESTART),
	VALUE("seccomp-profile", "seccomp-profile", 0, KEY_RESTART),
	VALUE("storage-opts", "storage-opt", 0, KEY_RESTART),
	VALUE("swarm-default-advertise-addr", "swarm-default-advertise-addr", 0, KEY_RESTART),
	VALUE("swarm-raft-heartbeat-tick", "swarm-raft-heartbeat-tick", 0, KEY_RESTART),
	VALUE("swarm-raft-election-tick", "swarm-raft-election-tick", 0, KEY_RESTART),
	VALUE("tlscacert", "tlscacert", 0, KEY_RESTART),
	VALUE("tlscert", "tlscert", 0, KEY_RESTART),
	VALUE("tlskey", "tlskey", 0, KEY_RESTART),
	VALUE("userland-proxy-path", "userland-proxy-path", 0, KEY_RESTART),
	SWITCH("tls", "tls", 0, KEY_RESTART),
	SWITCH("tlsverify", "tlsverify", 0, KEY_RESTART),
	SWITCH("cri-containerd", "cri-containerd", 0, KEY_RESTART),
	SWITCH("experimental", "experimental", 0, KEY_RESTART),
	SWITCH("init", "init", 0, KEY_RESTART),
	SWITCH("ip-forward", "ip-forward", 0, KEY_RESTART),
	SWITCH("ip-forward-no-drop", "ip-forward-no-drop", 0, KEY_RESTART),
	SWITCH("no-new-privileges", "no-new-privileges", 0, KEY_RESTART),
	SWITCH("raw-logs", "raw-logs", 0, KEY_RESTART),
	SWITCH("selinux-enabled", "selinux-enabled", 0, KEY_RESTART),
	SWITCH("userland-proxy", "userland-proxy", 0, KEY_RESTART),
	SWITCH("deprecated-key-path", NULL, 0, KEY_RESTART),

	VALUE(NULL, "config-file", 0, KEY_UNKNOWN),
	SWITCH(NULL, "rootless", 0, KEY_UNKNOWN),
	SWITCH(NULL, "validate", 0, KEY_UNKNOWN),
	SWITCH(NULL, "version", 'v', KEY_UNKNOWN),
	SWITCH(NULL, "help", 0, KEY_UNKNOWN),
	{ NULL, NULL, 0, false, false, KEY_UNKNOWN, NULL },
};

#define keys_each(k) (const struct docker_key *k = docker_keys; k->key || k->flag; k++)

const struct docker_key *docker_key_find(const char *key)
{
	for keys_each(k)
		if (k->key && !strcmp(k->key, key))
			return k;
	return NULL;
}

const struct docker_key *docker_key_find_flag(const char *flag)
{
	for keys_each(k)
		if (k->flag && !strcmp(k->flag, flag))
			return k;
	return NULL;
}

const struct docker_key *docker_key_find_letter(char letter)
{
	for keys_each(k)
		if (letter && k->letter == letter)
			return k;
	return NULL;
}
