// SPDX-License-Identifier: Apache-2.0
// kvmwait-guest: makes tiny VMs that do a known number of the things kvmwait reports, and prints what they did.
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common.h"
#include "host.h"
#include "machine.h"
#include "ops.h"
#include "plan.h"
#include "report.h"

#ifndef KVMWAIT_VERSION
#define KVMWAIT_VERSION "unreleased"
#endif

/* Documented in the help text. */
enum exit_code {
	EXIT_DONE = 0,
	EXIT_FAILED = 1,
	EXIT_USAGE = 2,
	EXIT_COULD_NOT = 4,
	EXIT_NO_KVM = 5,
};

enum option_key {
	OPT_COMM = 256,
	OPT_OP_TIMEOUT,
	OPT_SKIP,
	OPT_NO_PAUSE,
	OPT_GATE,
	OPT_STAY,
};

static const struct option options[] = {
	{ "name", required_argument, NULL, 'n' },
	{ "vcpus", required_argument, NULL, 'c' },
	{ "comm", required_argument, NULL, OPT_COMM },
	{ "op-timeout", required_argument, NULL, OPT_OP_TIMEOUT },
	{ "skip", required_argument, NULL, OPT_SKIP },
	{ "no-pause", no_argument, NULL, OPT_NO_PAUSE },
	{ "gate", required_argument, NULL, OPT_GATE },
	{ "stay", required_argument, NULL, OPT_STAY },
	{ "list", no_argument, NULL, 'l' },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'V' },
	{ 0 },
};

static const char help[] =
	"usage: kvmwait-guest [OPTION]... [OP[:TARGET]=COUNT[@VCPU]]...\n"
	"\n"
	"Makes tiny virtual machines that do exactly COUNT times what OP says, all at the same\n"
	"time, and prints one JSON document about what was done. Without @VCPU every vCPU does\n"
	"it. Without any OP, all are done but those that are only done when asked for, with\n"
	"another prime number for each vCPU.\n"
	"\n"
	"  -n, --name NAME        names the machines NAME-kvm, NAME-xen, ...    [guest]\n"
	"  -c, --vcpus N          vCPUs of each machine, 1 to 64                [2]\n"
	"      --comm TEXT        name of the vCPU threads                      [CPU N/KVM]\n"
	"                         a second one: from a vCPU's second OP on\n"
	"      --op-timeout SEC   time for one OP on one vCPU                   [20]\n"
	"      --skip OP[,OP]...  leave these out, and say so\n"
	"      --no-pause         leave out all that executes PAUSE outside of a nested guest.\n"
	"                         Where KVM does not step over a PAUSE that exits (before 5.13)\n"
	"                         and each one exits (QEMU's emulation), it is executed for\n"
	"                         ever: thousands of pause-loop exits. Without this option the\n"
	"                         first one ends after half a second, with the count null, and\n"
	"                         the others are left out.\n"
	"      --gate FILE        make the machines, and begin when FILE exists (busy: before)\n"
	"      --stay SEC         keep the machines so long after the document is out\n"
	"  -l, --list             print the table of operations\n"
	"  -h, --help\n"
	"  -V, --version\n"
	"\n"
	"The document: \"did\" has what makes events; a count of null is not known, \"why\" says\n"
	"the reason; \"assumed\" is true where the kernel cannot tell whether each PAUSE exits.\n"
	"\"must_not_count\" has what looks like an event and is none. \"could_not\" has the rest.\n"
	"\n"
	"exit status: 0 all was done, or the plan without OP ended; 1 an operation failed or\n"
	"ran out of time; 2 usage; 4 an OP that was asked for cannot be done here; 5 no\n"
	"/dev/kvm, or no permission.\n";

struct settings {
	const char *name;
	unsigned int vcpus;
	const char *comm, *later_comm;
	uint64_t op_timeout_s;
	const char *gate;
	uint64_t stay_s;
	bool *skip;		/* ops_count of them */
	bool list;
	bool help;
	bool version;
};

static void complain(const char *what, const char *object, const char *why)
{
	fprintf(stderr, "kvmwait-guest: %s: '%s': %s\n", what, object, why);
}

static int skip_ops(struct settings *set, const char *names)
{
	char *copy = strdup(names), *rest = copy, *name;
	int err = 0;

	if (!copy)
		abort();
	while (!err && (name = strsep(&rest, ","))) {
		int op = ops_find(name);

		if (op < 0) {
			complain("cannot skip an operation", name, "there is no such operation (--list shows all)");
			err = -EINVAL;
		} else {
			set->skip[op] = true;
		}
	}
	free(copy);
	return err;
}

static int take_vcpus(struct settings *set, const char *text)
{
	uint64_t value;

	if (parse_u64(text, &value) || value < 1 || value > PLAN_VCPUS_MAX) {
		complain("not a number of vCPUs", text, "it must be from 1 to 64");
		return -EINVAL;
	}
	set->vcpus = (unsigned int)value;
	return 0;
}

static int take_seconds(const char *text, uint64_t *ret_s)
{
	uint64_t value;

	if (parse_u64(text, &value) || value < 1 || value > 86400) {
		complain("not a time", text, "it must be from 1 to 86400 seconds");
		return -EINVAL;
	}
	*ret_s = value;
	return 0;
}

static int take_option(struct settings *set, int key, const char *arg)
{
	switch (key) {
	case 'n':
		set->name = arg;
		return 0;
	case 'c':
		return take_vcpus(set, arg);
	case OPT_COMM:
		set->later_comm = set->comm ? arg : NULL;
		set->comm = set->comm ? set->comm : arg;
		return 0;
	case OPT_OP_TIMEOUT:
		return take_seconds(arg, &set->op_timeout_s);
	case OPT_GATE:
		set->gate = arg;
		return 0;
	case OPT_STAY:
		return take_seconds(arg, &set->stay_s);
	case OPT_SKIP:
		return skip_ops(set, arg);
	case OPT_NO_PAUSE:
		for (unsigned int op = 0; op < ops_count; op++)
			set->skip[op] |= ops[op].pause;
		return 0;
	case 'l':
		set->list = true;
		return 0;
	case 'h':
		set->help = true;
		return 0;
	case 'V':
		set->version = true;
		return 0;
	default:
		fputs("Try 'kvmwait-guest --help'.\n", stderr);
		return -EINVAL;
	}
}

static void print_list(void)
{
	printf("%-16s %-10s %-9s %-8s %-7s %s\n", "OP", "VM", "EVENT", "SOURCE", "COUNTS", "WHAT IT DOES");
	for (unsigned int i = 0; i < ops_count; i++) {
		const struct op *op = &ops[i];

		printf("%-16s %-10s %-9s %-8s %-7s %s\n", op->name, op->judge ? flavour_name(op->flavour) : "-", op->event,
		       op->source ? op->source : "vmx/svm", op->quiet ? "no" : "yes", op->help);
	}
}

/* Marks what is not to be tried, or cannot be done here; the rest stays to do. */
static void rule_out(struct plan *plan, const struct settings *set, const struct host *host)
{
	for (unsigned int i = 0; i < plan->tasks_count; i++) {
		struct result *result = &plan->tasks[i].result;
		const struct op *op = &ops[plan->tasks[i].op];
		const char *why = op->why_not ? op->why_not(host) : NULL;

		result->skipped = set->skip[plan->tasks[i].op];
		if (result->skipped)
			why = "skipped by the caller";
		if (!why)
			continue;
		result->state = STATE_COULD_NOT;
		snprintf(result->why, sizeof(result->why), "%s", why);
	}
}

/* Says on stderr what stderr should know; the document has it all. */
static enum exit_code verdict(const struct plan *plan, bool asked)
{
	enum exit_code code = EXIT_DONE;

	for (unsigned int i = 0; i < plan->tasks_count; i++) {
		const struct task *task = &plan->tasks[i];
		const char *name = ops[task->op].name;

		if (task->result.state == STATE_FAILED || task->result.state == STATE_TODO) {
			fprintf(stderr, "kvmwait-guest: an operation failed on vCPU %u: '%s': %s\n", task->vcpu, name,
				task->result.why);
			code = EXIT_FAILED;
		} else if (task->result.state == STATE_COULD_NOT && asked && !task->result.skipped) {
			complain("cannot be done here", name, task->result.why);
			if (code == EXIT_DONE)
				code = EXIT_COULD_NOT;
		}
	}
	return code;
}

static enum exit_code do_plan(const struct settings *set, const struct host *host, const struct task_list *list, bool asked)
{
	struct plan *plan;
	enum exit_code code;
	int fd, err = plan_new(list, set->vcpus, &plan, &fd);

	if (err) {
		complain("no shared memory", "memfd", strerror(-err));
		return EXIT_FAILED;
	}
	plan->op_timeout_ns = (int64_t)set->op_timeout_s * NS_PER_S;
	plan->stay_s = set->stay_s;
	plan->comm_given = set->comm != NULL;
	plan->later_comm_given = set->later_comm != NULL;
	if (set->comm)
		strncpy(plan->comm, set->comm, sizeof(plan->comm) - 1);
	if (set->later_comm)
		strncpy(plan->later_comm, set->later_comm, sizeof(plan->later_comm) - 1);
	rule_out(plan, set, host);
	err = machines_run(plan, fd, set->name, set->gate);
	if (err)
		complain("a VM's process could not be started", set->name, strerror(-err));
	report_write(stdout, plan, host, set->name);
	code = verdict(plan, asked);
	if (fflush(stdout) || ferror(stdout)) {
		complain("cannot write the document", "standard output", strerror(errno));
		code = EXIT_FAILED;
	}
	machines_end(plan);
	plan_unmap(plan);
	close(fd);
	return err ? EXIT_FAILED : code;
}

static enum exit_code open_host(struct host *host)
{
	const char *semicolon = "", *next = "";
	int err = host_open(host);

	if (!err)
		return EXIT_DONE;
	if (err == -ENOENT || err == -ENXIO || err == -ENODEV)
		next = host_next_step;
	else if (err == -EACCES || err == -EPERM)
		next = "run as root or join the group kvm";
	if (*next)
		semicolon = "; ";
	fprintf(stderr, "kvmwait-guest: KVM cannot be used: '/dev/kvm': %s%s%s\n", strerror(-err), semicolon, next);
	return EXIT_NO_KVM;
}

static int read_ops(struct task_list *list, const struct settings *set, char *const texts[])
{
	for (; *texts; texts++) {
		const char *why;

		if (task_list_parse(list, *texts, set->vcpus, &why)) {
			complain("not an operation", *texts, why);
			return -EINVAL;
		}
	}
	return 0;
}

static enum exit_code guest(const struct settings *set, char *const texts[])
{
	struct task_list list = { 0 };
	bool asked = texts[0] != NULL;
	struct host host;
	enum exit_code code = EXIT_USAGE;

	if (!asked)
		task_list_standard(&list, set->vcpus);
	else if (read_ops(&list, set, texts))
		goto out;
	code = open_host(&host);
	if (code == EXIT_DONE) {
		code = do_plan(set, &host, &list, asked);
		close(host.kvm_fd);
	}
out:
	task_list_done(&list);
	return code;
}

int main(int argc, char *argv[])
{
	struct settings set = { .name = "guest", .vcpus = 2, .op_timeout_s = 20 };
	enum exit_code code = EXIT_DONE;
	int key;

	if (machine_is_child(argc, argv))
		return machine_main(argv);
	set.skip = calloc(ops_count, sizeof(*set.skip));
	if (!set.skip)
		abort();
	while (code == EXIT_DONE && (key = getopt_long(argc, argv, "n:c:lhV", options, NULL)) != -1) {
		if (take_option(&set, key, optarg))
			code = EXIT_USAGE;
	}
	if (code == EXIT_DONE && set.help)
		fputs(help, stdout);
	else if (code == EXIT_DONE && set.version)
		puts("kvmwait-guest " KVMWAIT_VERSION);
	else if (code == EXIT_DONE && set.list)
		print_list();
	else if (code == EXIT_DONE)
		code = guest(&set, argv + optind);
	free(set.skip);
	return (int)code;
}
