// SPDX-License-Identifier: Apache-2.0
// Tests of helper/ledger/guest_ips.c: spins by address, from records and from bpftrace's map.
#include "unit.h"

#include "base/memory.h"
#include "ledger/guest_ips.h"

#define KERNEL (GUEST_IP | GUEST_MODE | GUEST_KERNEL)

static void take(struct guest_ips *g, uint64_t n, uint32_t pid, const char *vm, const char *event, struct guest_place place)
{
	struct wait_event w = { .pid = pid, .vm = vm, .guest = place };

	memcpy(w.event, event, strlen(event));
	for (uint64_t i = 0; i < n; i++)
		guest_ips_take_wait(g, &w);
}

static void check_row(const struct guest_ip_row *row, uint64_t spins, uint64_t ip, unsigned int known, const char *symbol)
{
	CHECK_U64(row->spins, spins);
	CHECK_U64(row->place.ip, ip);
	CHECK_U64(row->place.known, known);
	CHECK_STR(row->place.symbol, symbol);
}

static void records(void)
{
	struct guest_ips *g = guest_ips_new();
	struct guest_ip_vm *vms;

	take(g, 7, 12, "web", "ple", (struct guest_place){ .ip = 0x2000, .known = KERNEL, .symbol = "f", .offset = 5 });
	take(g, 11, 12, "web", "pv_yield", (struct guest_place){ .ip = 0x3000, .known = KERNEL });
	take(g, 2, 12, "web", "ple", (struct guest_place){ .ip = 0x2000, .known = KERNEL });
	take(g, 3, 12, "web", "ple", (struct guest_place){ .ip = 0x2000, .known = GUEST_IP | GUEST_MODE });
	take(g, 5, 12, "web", "ple", (struct guest_place){ .known = 0 });
	take(g, 13, 12, "web", "hlt", (struct guest_place){ .ip = 0x4000, .known = KERNEL });
	take(g, 17, 11, "db", "ple", (struct guest_place){ .ip = 0x2000, .known = KERNEL });
	CHECK_U64(guest_ips_vms(g, &vms), 2);
	CHECK_STR(vms[0].vm, "db");
	CHECK_U64(vms[0].pid, 11);
	CHECK_U64(vms[0].spins, 17);
	CHECK_U64(vms[0].n_rows, 1);
	CHECK_STR(vms[1].vm, "web");
	CHECK_U64(vms[1].spins, 28);
	CHECK_U64(vms[1].placed, 28);
	CHECK_U64(vms[1].n_rows, 4);
	check_row(&vms[1].rows[0], 11, 0x3000, KERNEL, NULL);
	check_row(&vms[1].rows[1], 9, 0x2000, KERNEL, "f");
	CHECK_U64(vms[1].rows[1].place.offset, 5);
	check_row(&vms[1].rows[2], 5, 0, 0, NULL);
	check_row(&vms[1].rows[3], 3, 0x2000, GUEST_IP | GUEST_MODE, NULL);
	guest_ips_free(g);
}

/* A recording that was made without addresses has none to show. */
static void not_recorded(void)
{
	struct guest_ips *g = guest_ips_new();
	struct guest_ip_vm *vms;

	CHECK_U64(guest_ips_vms(g, &vms), 0);
	take(g, 3, 11, "db", "ple", (struct guest_place){ 0 });
	CHECK_U64(guest_ips_vms(g, &vms), 0);
	guest_ips_free(g);
	guest_ips_free(NULL);
}

static void too_many(void)
{
	struct guest_ips *g = guest_ips_new();
	struct guest_ip_vm *vms;

	for (uint64_t i = 0; i < 65536 + 37; i++)
		take(g, 1, 11, NULL, "ple", (struct guest_place){ .ip = 0x1000 + i, .known = KERNEL });
	take(g, 5, 11, NULL, "ple", (struct guest_place){ .ip = 0x1000, .known = KERNEL });
	CHECK_U64(guest_ips_vms(g, &vms), 1);
	CHECK_U64(vms[0].n_rows, 65536);
	CHECK_U64(vms[0].spins, 65536 + 37 + 5);
	CHECK_U64(vms[0].placed, 65536 + 5);
	check_row(&vms[0].rows[0], 6, 0x1000, KERNEL, NULL);
	guest_ips_free(g);
}

/* The KEY of a vCPU in a map. */
static int64_t key_of(uint32_t tid, uint32_t pid, uint16_t vcpu)
{
	return (int64_t)tid << 38 | (int64_t)pid << 16 | vcpu;
}

static void feed(struct guest_ips *g, int64_t key, int64_t ip, unsigned int known, uint64_t spins)
{
	CLEANUP_FREE char *line = xasprintf("@g_n[%" PRId64 ", %" PRId64 ", %u]: %" PRIu64, key, ip, known, spins);
	CLEANUP_FREE char *exact = unit_exact(line, strlen(line));

	CHECK_INT(guest_ips_take_line(g, exact, strlen(line)), GUEST_IPS_TAKEN);
}

static void map(void)
{
	struct guest_ips *g = guest_ips_new();
	struct guest_ip_vm *vms;

	feed(g, 0, 0, 0, 0);
	feed(g, key_of(21, 11, 0), -2130701766, KERNEL, 31);
	feed(g, key_of(22, 11, 1), -2130701766, KERNEL, 37);
	feed(g, key_of(22, 11, 1), -2130701766, KERNEL, 41); /* printed again */
	feed(g, key_of(22, 11, 1), 4096, GUEST_IP | GUEST_MODE, 3);
	feed(g, key_of(4194303, 4194302, 65535), 0, 0, 5);
	guest_ips_set_spins(g, 11, 31 + 41 + 3 + 13);
	guest_ips_set_spins(g, 4194302, 4);
	guest_ips_set_spins(g, 9, 0);
	CHECK_U64(guest_ips_vms(g, &vms), 2);
	CHECK_U64(vms[0].pid, 11);
	CHECK_STR(vms[0].vm, NULL);
	CHECK_U64(vms[0].spins, 88);
	CHECK_U64(vms[0].placed, 75);
	CHECK_U64(vms[0].n_rows, 2);
	check_row(&vms[0].rows[0], 72, UINT64_C(0xffffffff8100123a), KERNEL, NULL);
	check_row(&vms[0].rows[1], 3, 4096, GUEST_IP | GUEST_MODE, NULL);
	CHECK_U64(vms[1].pid, 4194302);
	CHECK_U64(vms[1].spins, 5); /* never fewer than are in rows */
	CHECK_U64(vms[1].placed, 5);
	guest_ips_free(g);
}

static void lines(void)
{
	static const char *const others[] = { "", "@g_n", "@g_ip[1]: 2", "@s_n[1, 2]: 3", "maps 1" };
	static const char *const bad[] = {
		"@g_n[", "@g_n[]: 1", "@g_n[1]: 1", "@g_n[1, 2]: 3", "@g_n[1, 2, 3]: ", "@g_n[1, 2, 3]: x", "@g_n[1, 2, 3]: 4 ", "@g_n[1,2,3]: 4",
		"@g_n[1, 2, 8]: 4", "@g_n[-1, 2, 3]: 4", "@g_n[1, 2, 3]: -4", "@g_n[1, 0x2, 3]: 4", "@g_n[1, 2, 3, 4]: 5",
		"@g_n[1, 18446744073709551616, 3]: 4",
	};
	struct guest_ips *g = guest_ips_new();
	struct guest_ip_vm *vms;

	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		CHECK_INT(guest_ips_take_line(g, others[i], strlen(others[i])), GUEST_IPS_OTHER);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		CLEANUP_FREE char *exact = unit_exact(bad[i], strlen(bad[i]));

		CHECK_INT(guest_ips_take_line(g, exact, strlen(bad[i])), GUEST_IPS_MALFORMED);
	}
	CHECK_U64(guest_ips_vms(g, &vms), 0);
	/* an unsigned address is the same */
	CHECK_INT(guest_ips_take_line(g, "@g_n[65536, 18446744071578849850, 7]: 4", 39), GUEST_IPS_TAKEN);
	CHECK_U64(guest_ips_vms(g, &vms), 1);
	check_row(&vms[0].rows[0], 4, UINT64_C(0xffffffff8100123a), KERNEL, NULL);
	guest_ips_free(g);
}

static const struct unit_test tests[] = {
	{ "records", records }, { "not_recorded", not_recorded }, { "too_many", too_many }, { "map", map }, { "lines", lines },
};

int main(void)
{
	return unit_run(tests, ARRAY_SIZE(tests));
}
