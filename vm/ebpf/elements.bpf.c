/*
 * A hash map and no program: user space fills it, and asks in which order the kernel lists it. As every such map it
 * has a seed of its own.
 */
#include "kernel.h"

struct {
	MAP_UINT(type, BPF_MAP_TYPE_HASH);
	MAP_TYPE(key, u32);
	MAP_TYPE(value, u64);
	MAP_UINT(max_entries, 1024);
} elements SEC(".maps");

char licence[] SEC("license") = "Dual MIT/GPL";
