// SPDX-License-Identifier: Apache-2.0
// Tests of helper/record/recording_read.c and helper/base/line_reader.c: what was recorded is read back, and of what was cut short, damaged or
// made by somebody else never more than that.
#include "unit.h"

#include "base/memory.h"
#include "record/recording_read.h"

#include <zstd.h>

#define META                                                                                                                       \
	"{\"type\":\"meta\",\"schema\":1,\"kvmwait\":\"0.1\",\"kernel\":\"6.12\",\"arch\":\"x86_64\",\"script\":\"s\","            \
	"\"script_sha256\":\"00\",\"bpftrace\":\"0.23.2\",\"probes\":[],\"filters\":{},\"clock\":{}}\n"
#define WAIT(ts, vcpu)                                                                                                   \
	"{\"type\":\"wait\",\"ts\":" #ts ",\"cpu\":0,\"pid\":7,\"tid\":8,\"comm\":\"CPU 0/KVM\",\"vm\":\"a\",\"vcpu\":" #vcpu \
	",\"event\":\"hlt\",\"source\":\"kvm\",\"target\":-1}\n"
#define OUTCOME(ts, wait_ts)                                                                                                   \
	"{\"type\":\"outcome\",\"ts\":" #ts ",\"wait_ts\":" #wait_ts ",\"pid\":7,\"tid\":8,\"vm\":\"a\",\"vcpu\":0,\"end\":\"unseen\"}\n"
#define END                                                                                                                        \
	"{\"type\":\"end\",\"counted\":4,\"received\":4,\"lost\":0,\"unreported\":0,\"malformed\":0,\"late\":0,\"unbalanced\":0," \
	"\"why\":\"the time is up\"}\n"

static const char *const lines[] = { META, WAIT(1000, 0), OUTCOME(1500, 1000), WAIT(2000, 1), WAIT(900, 2), END };
static const enum record_type types[] = { RECORD_META, RECORD_WAIT, RECORD_OUTCOME, RECORD_WAIT, RECORD_WAIT, RECORD_END };
#define N_LINES ARRAY_SIZE(lines)

static char *sample(size_t first, size_t n)
{
	char *text = xstrdup("");

	for (size_t i = first; i < first + n; i++) {
		char *more = xasprintf("%s%s", text, lines[i]);

		free(text);
		text = more;
	}
	return text;
}

/* Frames of two lines each, one behind the other, and a frame that is to be skipped; the caller frees. */
static char *compressed(size_t *ret_size, size_t ends[3])
{
	static const unsigned char skippable[] = { 0x5e, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 'a', '\n', 'b' };
	char *out = xcalloc(16384, 1);
	size_t n = 0;

	for (size_t i = 0; i < N_LINES; i += 2) {
		CLEANUP_FREE char *text = sample(i, 2);
		size_t size = ZSTD_compress(out + n, 16384 - n, text, strlen(text), 3);

		CHECK(!ZSTD_isError(size));
		n += size;
		ends[i / 2] = n;
	}
	memcpy(out + n, skippable, sizeof(skippable));
	*ret_size = n + sizeof(skippable);
	return out;
}

/* Reads all of a file of these bytes; how many records it gave, each of them checked. */
static size_t read_back(const void *data, size_t size, struct recording_state *ret, struct line_reader_state *ret_input)
{
	CLEANUP_FREE char *path = unit_path("r");
	struct recording *r;
	struct record record;
	size_t n = 0;

	unit_write(unit_directory(), "r", data, size);
	CHECK_INT(recording_open(path, NULL, &r), 0);
	for (int more; (more = recording_next(r, &record)); n++) {
		CHECK_INT(more, 1);
		CHECK(n < N_LINES);
		CHECK_INT(record.type, types[n]);
		if (record.type == RECORD_WAIT)
			CHECK_U64(record.wait.ts_ns, n == 1 ? 1000 : n == 3 ? 2000 : 900);
	}
	CHECK_INT(recording_next(r, &record), 0);
	*ret = *recording_state(r);
	*ret_input = *ret->input;
	ret->first_error = ret->first_error ? xstrdup(ret->first_error) : NULL;
	recording_close(r);
	return n;
}

static void test_whole(void)
{
	CLEANUP_FREE char *text = sample(0, N_LINES);
	size_t size, ends[3];
	CLEANUP_FREE char *zstd = compressed(&size, ends);
	struct recording_state s;
	struct line_reader_state i;

	CHECK_U64(read_back(text, strlen(text), &s, &i), N_LINES);
	CHECK(!s.cut_short && !s.malformed && !s.tail_bytes && !i.compressed && !i.damages);
	CHECK_U64(s.first_ns, 900);
	CHECK_U64(s.last_ns, 2000);
	CHECK_U64(i.size_bytes, strlen(text));
	CHECK_U64(i.read_bytes, strlen(text));
	CHECK_U64(read_back(zstd, size, &s, &i), N_LINES);
	CHECK(!s.cut_short && !s.malformed && !s.tail_bytes && i.compressed && !i.damages && !i.frame_cut);
	CHECK_U64(i.read_bytes, size);
}

static void test_plain_cut_anywhere(void)
{
	CLEANUP_FREE char *text = sample(0, N_LINES);

	for (size_t cut = 0; cut < strlen(text); cut++) {
		struct recording_state s;
		struct line_reader_state i;
		size_t whole = 0, before = 0;

		while (before + strlen(lines[whole]) <= cut)
			before += strlen(lines[whole++]);
		CHECK_U64(read_back(text, cut, &s, &i), whole);
		CHECK(s.cut_short && !s.malformed);
		CHECK_U64(s.tail_bytes, cut - before);
	}
}

/* All whole frames are read, and never more than was written. */
static void test_zstd_cut_anywhere(void)
{
	size_t size, ends[3];
	CLEANUP_FREE char *zstd = compressed(&size, ends);

	for (size_t cut = 4; cut < size; cut++) {
		struct recording_state s;
		struct line_reader_state i;
		size_t n = read_back(zstd, cut, &s, &i), frames = (cut >= ends[0]) + (cut >= ends[1]) + (cut >= ends[2]);

		CHECK(n >= 2 * frames && n <= N_LINES && !s.malformed && !i.damages);
		CHECK_INT(s.cut_short, n < N_LINES);
		CHECK_INT(i.frame_cut, cut != ends[0] && cut != ends[1] && cut != ends[2]);
	}
}

/* A cut before four bytes: not to be told from text. */
static void test_zstd_cut_in_its_magic(void)
{
	struct recording_state s;
	struct line_reader_state i;

	for (size_t cut = 0; cut < 4; cut++) {
		CHECK_U64(read_back("\x28\xb5\x2f", cut < 3 ? cut : 3, &s, &i), 0);
		CHECK(s.cut_short && !i.compressed);
	}
}

/* A frame whose bytes changed is left, and the next one is read. */
static void test_damaged_frame(void)
{
	size_t size, ends[3];
	CLEANUP_FREE char *zstd = compressed(&size, ends);
	struct recording *r;
	struct record record;
	CLEANUP_FREE char *path = unit_path("r");
	bool have_end = false;

	memset(zstd + ends[0] + 6, 0xff, 8);
	unit_write(unit_directory(), "r", zstd, size);
	CHECK_INT(recording_open(path, NULL, &r), 0);
	CHECK_INT(recording_next(r, &record), 1);
	CHECK_INT(recording_next(r, &record), 1);
	while (recording_next(r, &record) == 1)
		have_end |= record.type == RECORD_END;
	CHECK(have_end);
	CHECK(recording_state(r)->input->damages >= 1);
	CHECK(recording_state(r)->input->damage_bytes >= ends[0] && recording_state(r)->input->damage_bytes <= size);
	recording_close(r);
}

/* Whatever bytes: it comes to an end, and gives nothing that was not there. */
static void test_random_damage(void)
{
	size_t size, ends[3];
	CLEANUP_FREE char *zstd = compressed(&size, ends);
	CLEANUP_FREE char *path = unit_path("r");

	for (int i = 0; i < 2000; i++) {
		CLEANUP_FREE char *copy = unit_exact(zstd, size);
		struct recording *r;
		struct record record;

		for (size_t k = 1 + unit_random(4); k; k--)
			copy[unit_random(size)] = (char)unit_random(256);
		unit_write(unit_directory(), "r", copy, size);
		CHECK_INT(recording_open(path, NULL, &r), 0);
		while (recording_next(r, &record) == 1)
			CHECK(record.type < RECORD_TYPES);
		CHECK(recording_state(r)->records <= N_LINES);
		recording_close(r);
	}
}

static void test_malformed_lines(void)
{
	static const char text[] = META "what\n\n{\"type\":\"wait\"}\n[1]\n\x80\xff\n{\"type\":\"nothing\"}\n" WAIT(1000, 0) END "{}\n";
	CLEANUP_FREE char *path = unit_path("r");
	struct recording *r;
	struct record record;

	unit_write(unit_directory(), "r", text, sizeof(text) - 1);
	CHECK_INT(recording_open(path, NULL, &r), 0);
	CHECK_INT(recording_next(r, &record), 1);
	CHECK_INT(recording_next(r, &record), 1);
	CHECK_INT(record.type, RECORD_WAIT);
	CHECK_INT(recording_next(r, &record), 1);
	CHECK_INT(record.type, RECORD_END);
	CHECK_INT(recording_next(r, &record), 0);
	CHECK_U64(recording_state(r)->malformed, 7);
	CHECK_HAS(recording_state(r)->first_error, "line 2: no valid JSON");
	CHECK(!recording_state(r)->cut_short);
	recording_close(r);
}

/* Nine MiB in one line, plain and as 9 MiB of 'x' in a frame of a kilobyte: passed over, what follows is read. */
static void test_long_line(void)
{
	size_t size = 9u << 20, room = ZSTD_compressBound(10u << 20), n;
	CLEANUP_FREE char *text = xcalloc(size + 4096, 1);
	CLEANUP_FREE char *zstd = xcalloc(room, 1);
	CLEANUP_FREE char *path = unit_path("r");

	memset(text, 'x', size);
	n = size + (size_t)sprintf(text + size, "\n%s%s", lines[1], lines[5]);
	room = ZSTD_compress(zstd, room, text, n, 3);
	for (int i = 0; i < 2; i++) {
		struct recording *r;
		struct record record;

		unit_write(unit_directory(), "r", i ? zstd : text, i ? room : n);
		CHECK_INT(recording_open(path, NULL, &r), 0);
		CHECK_INT(recording_next(r, &record), 1);
		CHECK_INT(record.type, RECORD_WAIT);
		CHECK_U64(recording_state(r)->malformed, 1);
		CHECK_STR(recording_state(r)->first_error, "line 1: it is too long");
		CHECK_INT(recording_next(r, &record), 1);
		CHECK_INT(recording_next(r, &record), 0);
		recording_close(r);
	}
}

/* The longest line there may be, and one byte more, which is too long. */
static void test_line_at_the_limit(void)
{
	for (size_t more = 0; more < 2; more++) {
		size_t n = RECORDING_LINE_BYTES - 1 + more;
		CLEANUP_FREE char *text = xcalloc(n + 3, 1);
		CLEANUP_FREE char *path = unit_path("r");
		struct line_reader in;
		char *line;
		size_t length = 0;

		memset(text, 'x', n);
		memcpy(text + n, "\ny\n", 3);
		unit_write(unit_directory(), "r", text, n + 3);
		CHECK_INT(line_reader_open(&in, path, RECORDING_LINE_BYTES), 0);
		CHECK_INT(line_reader_next(&in, &line, &length), more ? LINE_LONG : LINE_WHOLE);
		CHECK_U64(length, n);
		CHECK_INT(line_reader_next(&in, &line, &length), LINE_WHOLE);
		CHECK_STR(line, "y");
		CHECK_U64(in.state.lines, 2);
		line_reader_done(&in);
	}
}

static void test_no_file(void)
{
	struct recording *r;
	CLEANUP_FREE char *path = unit_path("none");

	CHECK_INT(recording_open(path, NULL, &r), -ENOENT);
	CHECK_INT(recording_open(unit_directory(), NULL, &r), -EISDIR);
}

static const struct unit_test tests[] = {
	{ "a whole recording", test_whole },
	{ "plain, cut at every byte", test_plain_cut_anywhere },
	{ "compressed, cut at every byte", test_zstd_cut_anywhere },
	{ "compressed, cut in the first four bytes", test_zstd_cut_in_its_magic },
	{ "a damaged frame", test_damaged_frame },
	{ "random damage", test_random_damage },
	{ "malformed lines", test_malformed_lines },
	{ "a line that is too long", test_long_line },
	{ "a line at the limit", test_line_at_the_limit },
	{ "no file, a directory", test_no_file },
};

int main(void)
{
	return unit_run(tests, ARRAY_SIZE(tests));
}
