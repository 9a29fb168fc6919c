/*
 * How many mini-sockets in TIME_WAIT (and orphans in FIN_WAIT2) begin and end. No tracepoint tells of them, so
 * these hang on the functions that make and end them, where the kernel's type information lists them and it can
 * be hooked there at all (fentry); user space falls back to /proc/net/sockstat.
 */
#include "kernel.h"
#include "hosts.h"

/* By host: 0 and 1 of the client, 2 and 3 of the server; first those that began. */
struct {
	MAP_UINT(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	MAP_TYPE(key, u32);
	MAP_TYPE(value, u64);
	MAP_UINT(max_entries, 4);
} time_wait SEC(".maps");

char licence[] SEC("license") = "Dual MIT/GPL";

INLINE int count(struct sock *sk, u32 which)
{
	u32 host = host_of_socket(sk);
	u32 index = 2 * host - 2 + which;
	u64 *value = host ? bpf_map_lookup_elem(&time_wait, &index) : 0;

	if (value)
		*value += 1;
	return 0;
}

/* struct inet_timewait_sock *inet_twsk_alloc(const struct sock *, struct inet_timewait_death_row *, int) */
SEC("fexit/inet_twsk_alloc")
int time_wait_begins(u64 *ctx)
{
	/* Over tcp_max_tw_buckets there is none. */
	return ctx[3] ? count((struct sock *)ctx[0], 0) : 0;
}

/* void inet_twsk_kill(struct inet_timewait_sock *): it begins as a socket does. */
SEC("fentry/inet_twsk_kill")
int time_wait_ends(u64 *ctx)
{
	return count((struct sock *)ctx[0], 1);
}
