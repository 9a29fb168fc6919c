/*
 * Aggregation in the kernel: how often sockets went from state to state, in a map that user space reads from time
 * to time. Three maps, each with programs of its own, to hold their costs against each other; a run attaches
 * those of one.
 */
#include "kernel.h"
#include "hosts.h"

#define CLIENT 1

/* What happened, where. 16 bytes; `harness/src/bench/kernel/counts.rs` reads it by the same offsets. */
struct key {
	/* 1: a state changed; 2: the socket is gone. */
	u8 kind;
	u8 oldstate;
	u8 newstate;
	u8 host;
	/* Of a service: its port, in `dport`. Of a connection: all four. */
	u16 sport;
	u16 dport;
	u32 saddr;
	u32 daddr;
};

/* A value for each CPU, so that adding needs no atomic instruction. */
struct {
	MAP_UINT(type, BPF_MAP_TYPE_PERCPU_HASH);
	MAP_TYPE(key, struct key);
	MAP_TYPE(value, u64);
	MAP_UINT(max_entries, 1024);
} per_cpu SEC(".maps");

/* One value for all CPUs. */
struct {
	MAP_UINT(type, BPF_MAP_TYPE_HASH);
	MAP_TYPE(key, struct key);
	MAP_TYPE(value, u64);
	MAP_UINT(max_entries, 1024);
} shared SEC(".maps");

/* A key for each connection: the map forgets the oldest, in silence. */
struct {
	MAP_UINT(type, BPF_MAP_TYPE_LRU_HASH);
	MAP_TYPE(key, struct key);
	MAP_TYPE(value, u64);
	MAP_UINT(max_entries, 16384);
} lru SEC(".maps");

/* How many updates the map refused: nobody else counts them. */
struct {
	MAP_UINT(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	MAP_TYPE(key, u32);
	MAP_TYPE(value, u64);
	MAP_UINT(max_entries, 1);
} refused SEC(".maps");

char licence[] SEC("license") = "Dual MIT/GPL";

enum way {
	PER_CPU,
	SHARED,
	LRU,
};

INLINE void count(void *map, enum way way, const struct key *key)
{
	u64 one = 1, *value = bpf_map_lookup_elem(map, key);
	u32 zero = 0;

	if (!value) {
		if (!bpf_map_update_elem(map, key, &one, BPF_NOEXIST))
			return;
		/* Another CPU was faster, or there is no room. */
		value = bpf_map_lookup_elem(map, key);
		if (!value) {
			value = bpf_map_lookup_elem(&refused, &zero);
			if (value)
				*value += 1;
			return;
		}
	}
	if (way == PER_CPU)
		*value += 1;
	else
		__sync_fetch_and_add(value, 1);
}

INLINE int event(void *map, enum way way, u8 kind, struct sock *sk, u8 oldstate, u8 newstate)
{
	struct inet_sock *inet = (struct inet_sock *)sk;
	u32 host = host_of_socket(sk);
	struct key key = {.kind = kind, .oldstate = oldstate, .newstate = newstate, .host = host};
	u16 sport, dport;

	if (!host)
		return 0;
	sport = host_order(READ(inet, inet_sport));
	dport = host_order(READ(sk, __sk_common.skc_dport));
	if (way == LRU) {
		key.sport = sport;
		key.dport = dport;
		key.saddr = host_order_4(READ(inet, inet_saddr));
		key.daddr = host_order_4(READ(sk, __sk_common.skc_daddr));
	} else {
		key.dport = host == CLIENT ? dport : sport;
	}
	count(map, way, &key);
	return 0;
}

INLINE int state(void *map, enum way way, struct raw_tracepoint *ctx)
{
	struct sock *sk = (struct sock *)ctx->args[0];

	if (READ(sk, sk_protocol) != IPPROTO_TCP)
		return 0;
	return event(map, way, 1, sk, ctx->args[1], ctx->args[2]);
}

INLINE int gone(void *map, enum way way, struct raw_tracepoint *ctx)
{
	return event(map, way, 2, (struct sock *)ctx->args[0], 0, 0);
}

SEC("raw_tracepoint/inet_sock_set_state")
int per_cpu_state(struct raw_tracepoint *ctx)
{
	return state(&per_cpu, PER_CPU, ctx);
}

SEC("raw_tracepoint/tcp_destroy_sock")
int per_cpu_gone(struct raw_tracepoint *ctx)
{
	return gone(&per_cpu, PER_CPU, ctx);
}

SEC("raw_tracepoint/inet_sock_set_state")
int shared_state(struct raw_tracepoint *ctx)
{
	return state(&shared, SHARED, ctx);
}

SEC("raw_tracepoint/tcp_destroy_sock")
int shared_gone(struct raw_tracepoint *ctx)
{
	return gone(&shared, SHARED, ctx);
}

SEC("raw_tracepoint/inet_sock_set_state")
int lru_state(struct raw_tracepoint *ctx)
{
	return state(&lru, LRU, ctx);
}

SEC("raw_tracepoint/tcp_destroy_sock")
int lru_gone(struct raw_tracepoint *ctx)
{
	return gone(&lru, LRU, ctx);
}
