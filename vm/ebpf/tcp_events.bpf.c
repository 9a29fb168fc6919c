/*
 * The kernel's TCP tracepoints, as records in a ring buffer: what `events` of the probe protocol answers.
 *
 * Attached as raw tracepoints, which hand over the socket itself: the printed tracepoints have no network
 * namespace, and other layouts on other kernels. Each program looks at sockets of the run's own namespaces
 * only, which user space puts into `hosts`.
 */
#include "kernel.h"
#include "hosts.h"

#define TCP_TIME_WAIT 6
#define TCP_NEW_SYN_RECV 12

enum kind {
	SET_STATE,
	RETRANSMIT_SKB,
	RETRANSMIT_SYNACK,
	SEND_RESET,
	RECEIVE_RESET,
	DESTROY_SOCK,
};

/* 72 bytes; `harness/src/host/linux/watch.rs` reads it by the same offsets. */
struct event {
	u64 t_ns;
	u64 jiffies;
	u64 sk;
	u64 req;
	u64 cookie;
	u16 host;
	/* Whose turn it was. */
	u16 task;
	u32 kind;
	/* The state before, or the one in which it happens. */
	u32 state;
	/* The state after, the reset's reason, or the retransmission's error. */
	s32 what;
	u32 saddr;
	u32 daddr;
	u16 sport;
	u16 dport;
	/* The first number of the SYN that a half-open request answers. */
	u32 syn_seq;
};

/* Nobody's: the processor was idle, or the link carried a packet; or somebody's. */
enum task {
	SOMEBODY,
	IDLE,
	LINK,
};

struct {
	MAP_UINT(type, BPF_MAP_TYPE_RINGBUF);
	MAP_UINT(max_entries, 8 << 20);
} ring SEC(".maps");

/* How records are submitted: the reader looks from time to time. Who reads as they come has this set to 0. */
volatile const u64 submit = BPF_RB_NO_WAKEUP;

/* How many events the ring had no room for: nobody else counts them. */
struct {
	MAP_UINT(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	MAP_TYPE(key, u32);
	MAP_TYPE(value, u64);
	MAP_UINT(max_entries, 1);
} lost SEC(".maps");

char licence[] SEC("license") = "Dual MIT/GPL";

/* The thread of the link has a name of its own, by which it is known in every namespace of processes. */
INLINE u32 current_task(void)
{
	char name[16] = {0};

	if (!bpf_get_current_pid_tgid())
		return IDLE;
	bpf_get_current_comm(name, sizeof(name));
	if (name[0] == 'l' && name[1] == 'i' && name[2] == 'n' && name[3] == 'k' && !name[4])
		return LINK;
	return SOMEBODY;
}

/* An event of a socket in one of the namespaces, with what all of them have; null of all others. */
INLINE struct event *event_at(u32 host, u32 kind)
{
	struct event *event;
	u32 zero = 0;
	u64 *count;

	if (!host)
		return 0;
	event = bpf_ringbuf_reserve(&ring, sizeof(*event), 0);
	if (!event) {
		count = bpf_map_lookup_elem(&lost, &zero);
		if (count)
			*count += 1;
		return 0;
	}
	event->t_ns = bpf_ktime_get_ns();
	event->jiffies = bpf_jiffies64();
	event->sk = 0;
	event->req = 0;
	event->cookie = 0;
	event->host = host;
	event->kind = kind;
	event->state = 0;
	event->what = 0;
	event->saddr = 0;
	event->daddr = 0;
	event->sport = 0;
	event->dport = 0;
	event->syn_seq = 0;
	event->task = current_task();
	return event;
}

INLINE void about_socket(struct event *event, struct sock *sk)
{
	event->sk = (u64)sk;
	event->cookie = READ(sk, __sk_common.skc_cookie.counter);
	event->state = READ(sk, __sk_common.skc_state);
}

/* Addresses and ports as the tracepoints print them: `inet_sport` survives where `skc_num` does not. */
INLINE void addresses(struct event *event, struct sock *sk)
{
	struct inet_sock *inet = (struct inet_sock *)sk;

	event->sport = host_order(READ(inet, inet_sport));
	event->dport = host_order(READ(sk, __sk_common.skc_dport));
	event->saddr = host_order_4(READ(inet, inet_saddr));
	event->daddr = host_order_4(READ(sk, __sk_common.skc_daddr));
}

SEC("raw_tracepoint/inet_sock_set_state")
int inet_sock_set_state(struct raw_tracepoint *ctx)
{
	struct sock *sk = (struct sock *)ctx->args[0];
	struct event *event;

	if (READ(sk, sk_protocol) != IPPROTO_TCP)
		return 0;
	event = event_at(host_of_socket(sk), SET_STATE);
	if (!event)
		return 0;
	about_socket(event, sk);
	addresses(event, sk);
	event->state = ctx->args[1];
	event->what = ctx->args[2];
	bpf_ringbuf_submit(event, submit);
	return 0;
}

INLINE int retransmit(struct sock *sk, s32 error)
{
	struct event *event = event_at(host_of_socket(sk), RETRANSMIT_SKB);

	if (!event)
		return 0;
	about_socket(event, sk);
	addresses(event, sk);
	event->what = error;
	bpf_ringbuf_submit(event, submit);
	return 0;
}

/* Without `err`: before 6.15 or so. A program that asks for more arguments than there are is not attached. */
SEC("raw_tracepoint/tcp_retransmit_skb")
int tcp_retransmit_skb(struct raw_tracepoint *ctx)
{
	return retransmit((struct sock *)ctx->args[0], 0);
}

SEC("raw_tracepoint/tcp_retransmit_skb")
int tcp_retransmit_skb_err(struct raw_tracepoint *ctx)
{
	return retransmit((struct sock *)ctx->args[0], (s32)ctx->args[2]);
}

SEC("raw_tracepoint/tcp_retransmit_synack")
int tcp_retransmit_synack(struct raw_tracepoint *ctx)
{
	struct sock *sk = (struct sock *)ctx->args[0];
	struct request_sock *req = (struct request_sock *)ctx->args[1];
	struct event *event = event_at(host_of_socket(sk), RETRANSMIT_SYNACK);

	if (!event)
		return 0;
	about_socket(event, sk);
	event->cookie = 0;
	event->req = (u64)req;
	event->sport = READ(req, __req_common.skc_num);
	event->dport = host_order(READ(req, __req_common.skc_dport));
	event->saddr = host_order_4(READ(req, __req_common.skc_rcv_saddr));
	event->daddr = host_order_4(READ(req, __req_common.skc_daddr));
	event->syn_seq = READ((struct tcp_request_sock *)req, rcv_isn);
	bpf_ringbuf_submit(event, submit);
	return 0;
}

/* The ends of a RST that answers a segment for which there is no full socket: the segment's, reversed. */
INLINE void addresses_of_answer(struct event *event, struct sk_buff *skb)
{
	unsigned char *head = READ(skb, head);
	unsigned char *tcp = READ(skb, data);
	unsigned char *ip = head + READ(skb, network_header);
	u16 ports[2] = {0};
	u32 ends[2] = {0};

	bpf_probe_read_kernel(ports, sizeof(ports), tcp);
	bpf_probe_read_kernel(ends, sizeof(ends), ip + 12);
	event->sport = host_order(ports[1]);
	event->dport = host_order(ports[0]);
	event->saddr = host_order_4(ends[1]);
	event->daddr = host_order_4(ends[0]);
}

INLINE int send_reset(struct sock *sk, struct sk_buff *skb, s32 reason)
{
	struct net_device *dev;
	struct event *event;
	u8 state;

	if (sk) {
		event = event_at(host_of_socket(sk), SEND_RESET);
	} else {
		dev = skb ? READ(skb, dev) : 0;
		event = dev ? event_at(host_of(READ(dev, nd_net.net)), SEND_RESET) : 0;
	}
	if (!event)
		return 0;
	event->what = reason;
	if (sk)
		about_socket(event, sk);
	state = event->state;
	if (sk && state != TCP_TIME_WAIT && state != TCP_NEW_SYN_RECV)
		addresses(event, sk);
	else if (skb)
		addresses_of_answer(event, skb);
	bpf_ringbuf_submit(event, submit);
	return 0;
}

/* Without a reason: before 6.10. */
SEC("raw_tracepoint/tcp_send_reset")
int tcp_send_reset(struct raw_tracepoint *ctx)
{
	return send_reset((struct sock *)ctx->args[0], (struct sk_buff *)ctx->args[1], -1);
}

SEC("raw_tracepoint/tcp_send_reset")
int tcp_send_reset_reason(struct raw_tracepoint *ctx)
{
	return send_reset((struct sock *)ctx->args[0], (struct sk_buff *)ctx->args[1], (s32)ctx->args[2]);
}

INLINE int of_socket(struct sock *sk, u32 kind)
{
	struct event *event = event_at(host_of_socket(sk), kind);

	if (!event)
		return 0;
	about_socket(event, sk);
	addresses(event, sk);
	bpf_ringbuf_submit(event, submit);
	return 0;
}

SEC("raw_tracepoint/tcp_receive_reset")
int tcp_receive_reset(struct raw_tracepoint *ctx)
{
	return of_socket((struct sock *)ctx->args[0], RECEIVE_RESET);
}

SEC("raw_tracepoint/tcp_destroy_sock")
int tcp_destroy_sock(struct raw_tracepoint *ctx)
{
	return of_socket((struct sock *)ctx->args[0], DESTROY_SOCK);
}
