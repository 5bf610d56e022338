// SPDX-License-Identifier: Apache-2.0
// KVM's own counters of a vCPU, where the kernel has them (KVM_GET_STATS_FD, 5.14).
#include "stats.h"

#include <linux/kvm.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static void take(struct stats *stats, const char *name, int64_t at)
{
	if (strcmp(name, "exits") == 0)
		stats->exits_at = at;
	else if (strcmp(name, "irq_exits") == 0)
		stats->irq_exits_at = at;
	else if (strcmp(name, "io_exits") == 0)
		stats->io_exits_at = at;
	else if (strcmp(name, "halt_exits") == 0)
		stats->halt_exits_at = at;
}

static void read_descriptors(struct stats *stats, const struct kvm_stats_header *header)
{
	size_t size = sizeof(struct kvm_stats_desc) + header->name_size;
	struct kvm_stats_desc *desc = calloc(1, size + 1);

	if (!desc)
		abort();
	for (uint32_t i = 0; i < header->num_desc; i++) {
		if (pread(stats->fd, desc, size, (off_t)(header->desc_offset + i * size)) != (ssize_t)size)
			break;
		take(stats, desc->name, (int64_t)header->data_offset + desc->offset);
	}
	free(desc);
}

void stats_init(struct stats *stats, int vcpu_fd)
{
	struct kvm_stats_header header;

	*stats = (struct stats){ .exits_at = -1, .irq_exits_at = -1, .io_exits_at = -1, .halt_exits_at = -1 };
	stats->fd = ioctl(vcpu_fd, KVM_GET_STATS_FD, NULL);
	if (stats->fd < 0)
		return;
	if (pread(stats->fd, &header, sizeof(header), 0) == (ssize_t)sizeof(header))
		read_descriptors(stats, &header);
	if (stats->exits_at < 0 || stats->irq_exits_at < 0 || stats->io_exits_at < 0 || stats->halt_exits_at < 0) {
		close(stats->fd);
		stats->fd = -1;
	}
}

static bool read_one(const struct stats *stats, int64_t at, uint64_t *ret_value)
{
	return pread(stats->fd, ret_value, sizeof(*ret_value), at) == (ssize_t)sizeof(*ret_value);
}

bool stats_read(const struct stats *stats, struct stats_values *ret_values)
{
	uint64_t exits, irq, io, halts;

	if (stats->fd < 0)
		return false;
	if (!read_one(stats, stats->exits_at, &exits) || !read_one(stats, stats->irq_exits_at, &irq) ||
	    !read_one(stats, stats->io_exits_at, &io) || !read_one(stats, stats->halt_exits_at, &halts))
		return false;
	ret_values->exits = exits - irq - io;
	ret_values->halts = halts;
	return true;
}
