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
	for (unsigned int i = 0; i < STAT_COUNT; i++) {
		if (stats_names[i] && strcmp(name, stats_names[i]) == 0)
			stats->at[i] = at;
	}
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

	for (unsigned int i = 0; i < STAT_COUNT; i++)
		stats->at[i] = -1;
	stats->fd = ioctl(vcpu_fd, KVM_GET_STATS_FD, NULL);
	if (stats->fd < 0)
		return;
	if (pread(stats->fd, &header, sizeof(header), 0) == (ssize_t)sizeof(header))
		read_descriptors(stats, &header);
	for (unsigned int i = 0; i < STAT_COUNT; i++) {
		if (stats_names[i] && stats->at[i] < 0) {
			close(stats->fd);
			stats->fd = -1;
			return;
		}
	}
}

bool stats_read(const struct stats *stats, struct stats_values *ret_values)
{
	uint64_t values[STAT_COUNT] = { 0 };

	if (stats->fd < 0)
		return false;
	for (unsigned int i = 0; i < STAT_COUNT; i++) {
		if (stats_names[i] && pread(stats->fd, &values[i], sizeof(values[i]), stats->at[i]) != (ssize_t)sizeof(values[i]))
			return false;
	}
	ret_values->exits = values[STAT_EXITS] - values[STAT_IRQ_EXITS] - values[STAT_IO_EXITS];
	ret_values->halts = values[STAT_HALTS];
	ret_values->spins = values[STAT_SPINS];
	ret_values->waits = values[STAT_HALTS] + values[STAT_CALLS];
	return true;
}
