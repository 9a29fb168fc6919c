/*
 * Drops SYNs of a flood in the driver: what comes from the flood's network to the port that it floods. All else
 * passes.
 */
#include "kernel.h"

#define XDP_DROP 1
#define XDP_PASS 2
#define ETH_P_IP 0x0800
#define IPPROTO_TCP 6

struct xdp_md {
	u32 data;
	u32 data_end;
};

/* Set when it is loaded. The network is in host order. */
volatile const u32 flood_network = 0;
volatile const u32 flood_mask = 0xffffffff;
volatile const u16 flood_port = 0;

struct {
	MAP_UINT(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	MAP_TYPE(key, u32);
	MAP_TYPE(value, u64);
	MAP_UINT(max_entries, 1);
} dropped SEC(".maps");

char licence[] SEC("license") = "Dual MIT/GPL";

SEC("xdp")
int drop_flood(struct xdp_md *ctx)
{
	unsigned char *data = (unsigned char *)(long)ctx->data;
	unsigned char *end = (unsigned char *)(long)ctx->data_end;
	u32 zero = 0;
	u64 *count;

	/* Ethernet, an IPv4 header without options, and the ports. */
	if (data + 14 + 20 + 4 > end)
		return XDP_PASS;
	if (host_order(*(u16 *)(data + 12)) != ETH_P_IP || data[14] != 0x45 || data[14 + 9] != IPPROTO_TCP)
		return XDP_PASS;
	if ((host_order_4(*(u32 *)(data + 14 + 12)) & flood_mask) != flood_network)
		return XDP_PASS;
	if (host_order(*(u16 *)(data + 14 + 20 + 2)) != flood_port)
		return XDP_PASS;
	count = bpf_map_lookup_elem(&dropped, &zero);
	if (count)
		*count += 1;
	return XDP_DROP;
}
