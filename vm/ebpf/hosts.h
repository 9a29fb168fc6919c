/* Which sockets a program looks at: those of the run's own network namespaces. */
#ifndef FAULTLAB_HOSTS_H
#define FAULTLAB_HOSTS_H

#define AF_INET 2
#define IPPROTO_TCP 6

/* Of the run's network namespaces, by their inode numbers: 1 is the client, 2 the server. */
struct {
	MAP_UINT(type, BPF_MAP_TYPE_HASH);
	MAP_TYPE(key, u32);
	MAP_TYPE(value, u32);
	MAP_UINT(max_entries, 16);
} hosts SEC(".maps");

INLINE u32 host_of(struct net *net)
{
	u32 inum = READ(net, ns.inum);
	u32 *host = bpf_map_lookup_elem(&hosts, &inum);
	return host ? *host : 0;
}

INLINE u32 host_of_socket(struct sock *sk)
{
	if (READ(sk, __sk_common.skc_family) != AF_INET)
		return 0;
	return host_of(READ(sk, __sk_common.skc_net.net));
}

#endif
