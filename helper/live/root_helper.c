// SPDX-License-Identifier: Apache-2.0
// The one process that stays root during a trace. It parses nothing that guests or users wrote: for kvmwait, which runs as
// nobody, it opens files of /proc, asks the kernel about bpftrace, and renames a finished output.
#include "live/root_helper.h"

#include "base/file.h"
#include "base/privilege.h"
#include "base/process.h"
#include "live/child.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum operation {
	OPEN,
	GO_FIRST,
	WAIT_TURNS,
	MISSED,
	FILE_CREATE,
	FILE_PUT,
	FILE_DROP,
};

struct request {
	enum operation operation;
	enum root_helper_file file;
	uint32_t pid;
};

struct reply {
	int error; /* 0 or -errno */
	uint64_t number;
};

/* Room for one descriptor beside a reply. */
union control {
	struct cmsghdr align;
	char bytes[CMSG_SPACE(sizeof(int))];
};

static const struct {
	const char *name;
	int flags;
} files[] = {
	[ROOT_HELPER_EXE] = { "exe", O_PATH },	 [ROOT_HELPER_CMDLINE] = { "cmdline", O_RDONLY }, [ROOT_HELPER_CGROUP] = { "cgroup", O_RDONLY },
	[ROOT_HELPER_STAT] = { "stat", O_RDONLY }, [ROOT_HELPER_STATUS] = { "status", O_RDONLY }, [ROOT_HELPER_COMM] = { "comm", O_RDONLY },
};

static struct {
	int fd; /* to the root helper; -1: none runs */
	pid_t pid;
	const struct replaced_file *file; /* the output that it creates and renames */
} root_helper = { .fd = -1 };

static int open_file(uint32_t pid, enum root_helper_file file)
{
	CLEANUP_FREE char *path = xasprintf("/proc/%" PRIu32 "/%s", pid, files[file].name);
	int fd = open(path, files[file].flags | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

/* ---- in the root helper ---- */

/* Serves one request. A descriptor for the reply, or -1 where the reply has none. */
static int serve(const struct request *r, const pid_t bpftraces[ROOT_HELPER_BPFTRACES], struct replaced_file *file, struct reply *ret)
{
	pid_t bpftrace = (pid_t)r->pid == bpftraces[1] ? bpftraces[1] : bpftraces[0];
	int fd = -1;

	switch (r->operation) {
	case OPEN:
		fd = r->file < ROOT_HELPER_FILES ? open_file(r->pid, r->file) : -EINVAL;
		break;
	case GO_FIRST:
		ret->error = bpftrace_go_first(bpftrace);
		return -1;
	case WAIT_TURNS:
		child_wait_turns(bpftrace);
		return -1;
	case MISSED:
		ret->number = bpftrace_missed(bpftrace);
		return -1;
	case FILE_CREATE:
		fd = file ? replaced_file_create(file) : -EINVAL;
		break;
	case FILE_PUT:
		ret->error = file ? replaced_file_put(file) : -EINVAL;
		return -1;
	case FILE_DROP:
		if (file)
			replaced_file_drop(file);
		return -1;
	default:
		fd = -EINVAL;
	}
	ret->error = fd < 0 ? fd : 0;
	return fd;
}

static bool send_reply(int to, struct reply *reply, int fd)
{
	union control control = { .bytes = { 0 } };
	struct iovec data = { .iov_base = reply, .iov_len = sizeof(*reply) };
	struct msghdr message = { .msg_iov = &data, .msg_iovlen = 1 };

	if (fd >= 0) {
		message.msg_control = control.bytes;
		message.msg_controllen = sizeof(control.bytes);
		*CMSG_FIRSTHDR(&message) =
			(struct cmsghdr){ .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof(int)) };
		memcpy(CMSG_DATA(CMSG_FIRSTHDR(&message)), &fd, sizeof(fd));
	}
	return sendmsg(to, &message, MSG_NOSIGNAL) == (ssize_t)sizeof(*reply);
}

static void run(int from, pid_t parent, const pid_t bpftraces[ROOT_HELPER_BPFTRACES], struct replaced_file *file)
{
	static const uint64_t always = PRIVILEGE(CAP_SYS_PTRACE) | PRIVILEGE(CAP_SYS_NICE);
	struct request request;
	int high = file ? fcntl(file->directory_fd, F_DUPFD_CLOEXEC, from + 1) : -1;

	process_begin(parent, SIGKILL);
	setpgid(0, 0); /* Ctrl-C is for the parent */
	if (file && (high < 0 || dup2(high, from + 1) < 0))
		_exit(1);
	if (file)
		file->directory_fd = from + 1;
	privilege_close_files(from, file ? from + 1 : from);
	/* A directory may be another's than root's. */
	if (privilege_limit(file ? always | PRIVILEGE(CAP_DAC_OVERRIDE) : always))
		_exit(1);
	while (recv(from, &request, sizeof(request), 0) == (ssize_t)sizeof(request)) {
		struct reply reply = { 0 };
		int fd = serve(&request, bpftraces, file, &reply);
		bool sent = send_reply(from, &reply, fd);

		if (fd >= 0)
			close(fd);
		if (!sent)
			break;
	}
	if (file)
		replaced_file_drop(file);
	_exit(0);
}

int root_helper_start(const pid_t bpftraces[ROOT_HELPER_BPFTRACES], struct replaced_file *file)
{
	int fds[2], err;
	pid_t pid, parent = getpid();

	if (geteuid())
		return 0;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds))
		return -errno;
	pid = fork();
	if (!pid)
		run(fds[1], parent, bpftraces, file);
	close(fds[1]);
	if (pid < 0) {
		err = -errno;
		close(fds[0]);
		return err;
	}
	root_helper.fd = fds[0];
	root_helper.pid = pid;
	root_helper.file = file;
	err = privilege_drop(PRIVILEGE(CAP_KILL));
	if (err)
		root_helper_stop();
	return err;
}

void root_helper_stop(void)
{
	if (root_helper.fd < 0)
		return;
	close(root_helper.fd);
	root_helper.fd = -1;
	process_wait(root_helper.pid);
}

/* ---- in kvmwait ---- */

/* 0 or -errno, with a descriptor where the reply had one, else -1. */
static int ask(const struct request *request, struct reply *ret, int *ret_fd)
{
	union control control;
	struct iovec data = { .iov_base = ret, .iov_len = sizeof(*ret) };
	struct msghdr message = { .msg_iov = &data, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof(control.bytes) };
	const struct cmsghdr *c;
	ssize_t n;

	*ret_fd = -1;
	if (send(root_helper.fd, request, sizeof(*request), MSG_NOSIGNAL) != (ssize_t)sizeof(*request))
		return -EPIPE;
	do
		n = recvmsg(root_helper.fd, &message, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n != (ssize_t)sizeof(*ret))
		return -EPIPE;
	c = CMSG_FIRSTHDR(&message);
	if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS && c->cmsg_len == CMSG_LEN(sizeof(int)))
		memcpy(ret_fd, CMSG_DATA(c), sizeof(*ret_fd));
	return ret->error;
}

static int ask_for_file(const struct request *request)
{
	struct reply reply;
	int fd, err = ask(request, &reply, &fd);

	if (!err && fd < 0) /* no descriptor to spare here */
		err = -EMFILE;
	return err ? err : fd;
}

static int ask_for_number(enum operation operation, pid_t bpftrace, uint64_t *ret_number)
{
	struct reply reply;
	int fd, err = ask(&(struct request){ .operation = operation, .pid = (uint32_t)bpftrace }, &reply, &fd);

	if (!err)
		*ret_number = reply.number;
	return err;
}

int root_helper_open(uint32_t pid, enum root_helper_file file)
{
	return root_helper.fd < 0 ? open_file(pid, file) : ask_for_file(&(struct request){ .operation = OPEN, .file = file, .pid = pid });
}

int root_helper_read(uint32_t pid, enum root_helper_file file, size_t limit_bytes, char **ret_text, size_t *ret_size)
{
	CLEANUP_FD int fd = root_helper_open(pid, file);

	return fd < 0 ? fd : file_read_open(fd, limit_bytes, ret_text, ret_size);
}

int root_helper_go_first(pid_t bpftrace)
{
	uint64_t number;

	return root_helper.fd < 0 ? bpftrace_go_first(bpftrace) : ask_for_number(GO_FIRST, bpftrace, &number);
}

void root_helper_wait_turns(pid_t bpftrace)
{
	uint64_t number;

	if (root_helper.fd < 0)
		child_wait_turns(bpftrace);
	else
		ask_for_number(WAIT_TURNS, bpftrace, &number);
}

uint64_t root_helper_missed(pid_t bpftrace)
{
	uint64_t number = 0;

	if (root_helper.fd < 0)
		return bpftrace_missed(bpftrace);
	return ask_for_number(MISSED, bpftrace, &number) ? 0 : number;
}

static bool is_kept(const struct replaced_file *file)
{
	return root_helper.fd >= 0 && root_helper.file == file;
}

int root_helper_file_create(struct replaced_file *file)
{
	return is_kept(file) ? ask_for_file(&(struct request){ .operation = FILE_CREATE }) : replaced_file_create(file);
}

int root_helper_file_put(struct replaced_file *file)
{
	uint64_t number;

	return is_kept(file) ? ask_for_number(FILE_PUT, 0, &number) : replaced_file_put(file);
}

void root_helper_file_drop(struct replaced_file *file)
{
	uint64_t number;

	if (is_kept(file))
		ask_for_number(FILE_DROP, 0, &number);
	else
		replaced_file_drop(file);
}
