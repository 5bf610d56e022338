// SPDX-License-Identifier: Apache-2.0
// Tries whether the kernel lets probes attach, since what it is built with does not tell. Nothing stays attached.
#include "live/probe_test.h"

#include "base/file.h"
#include "base/text.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <linux/perf_event.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

int attach_try_kprobe(const char *function)
{
	CLEANUP_FREE char *type = file_line("/sys/bus/event_source/devices/kprobe/type");
	struct perf_event_attr attr = { .size = sizeof(attr), .disabled = 1, .config1 = (uint64_t)(uintptr_t)function };
	CLEANUP_FD int fd = -1;
	uint64_t number;

	if (!type || parse_u64(type, &number))
		return -ENODEV;
	attr.type = (uint32_t)number;
	fd = (int)syscall(SYS_perf_event_open, &attr, -1, 0, -1, PERF_FLAG_FD_CLOEXEC);
	return fd < 0 ? -errno : 0;
}

bool attach_is_locked(void)
{
	CLEANUP_FREE char *mode = file_line("/sys/kernel/security/lockdown");

	return mode && strstr(mode, "[confidentiality]");
}

int attach_try_trampoline(void)
{
	/* r0 = 0; exit */
	static const struct bpf_insn nothing[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0 },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	LIBBPF_OPTS(bpf_prog_load_opts, options, .expected_attach_type = BPF_TRACE_FENTRY);
	CLEANUP_FD int program = -1;
	CLEANUP_FD int link = -1;
	/* A function that the kernel keeps for such tests. */
	int id = libbpf_find_vmlinux_btf_id("bpf_fentry_test1", BPF_TRACE_FENTRY);

	if (id < 0)
		return id;
	options.attach_btf_id = (uint32_t)id;
	program = bpf_prog_load(BPF_PROG_TYPE_TRACING, "kvmwait_try", "GPL", nothing, ARRAY_SIZE(nothing), &options);
	if (program < 0)
		return -errno;
	link = bpf_raw_tracepoint_open(NULL, program);
	return link < 0 ? -errno : 0;
}
