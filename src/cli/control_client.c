/* The client's end of the control socket, and what both ends share; see control.h. */
#include "cli/control.h"

#include "base/trail.h"
#include "cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* ---- frames ---- */

static bool send_all(int fd, const void *from, size_t size, int flags)
{
	const u8 *next = from;

	while (size) {
		ssize_t n = send(fd, next, size, MSG_NOSIGNAL | flags);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		next += n;
		size -= (size_t)n;
	}
	return true;
}

bool control_send(int fd, enum control_kind kind, const void *payload, size_t size)
{
	const struct control_head head = {.length = le32_make((u32)size), .kind = (u8)kind};

	return send_all(fd, &head, sizeof(head), size ? MSG_MORE : 0) &&
	       send_all(fd, payload, size, 0);
}

bool control_receive(int fd, void *to, size_t size)
{
	u8 *next = to;

	while (size) {
		ssize_t n = recv(fd, next, size, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		next += n;
		size -= (size_t)n;
	}
	return true;
}

/* ---- the client ---- */

bool control_is_mounted(const char *path)
{
	struct stat st;

	return !stat(path, &st) && S_ISDIR(st.st_mode);
}

static int find_server(const char *directory, struct control_address *address)
{
	int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int err = 0;

	if (fd < 0)
		return fail(-errno, "%s: %s", directory, strerror(errno));
	*address = (struct control_address){0};
	if (ioctl(fd, CONTROL_IOC_ADDRESS, address) || !address->name[0])
		err = fail(-EINVAL, "%s: nothing of mendfs is mounted there", directory);
	else if (address->version != CONTROL_VERSION)
		err = fail(-EPROTO, "%s: its server is of another version of mendfs", directory);
	close(fd);
	return err;
}

static int connect_to(const char *directory, const struct control_address *address, int *out)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	size_t length = strnlen(address->name, CONTROL_NAME);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	memcpy(un.sun_path + 1, address->name, length);
	if (fd < 0 || connect(fd, (const struct sockaddr *)&un,
			      (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + length))) {
		int err =
		    fail(-errno, "%s: its server does not answer: %s", directory, strerror(errno));

		if (fd >= 0)
			close(fd);
		return err;
	}
	*out = fd;
	return 0;
}

static int send_request(int fd, int argc, char **argv)
{
	const struct control_request head = {.terminal = (u8)isatty(STDERR_FILENO)};
	u8 *request = malloc(CONTROL_PAYLOAD_MAX);
	size_t used = sizeof(head);
	int err = request ? 0 : fail(-ENOMEM, "out of memory");

	if (request)
		memcpy(request, &head, sizeof(head));
	for (int i = 0; i < argc && !err; i++) {
		size_t length = strlen(argv[i]) + 1;

		if (length > CONTROL_PAYLOAD_MAX - used || i == CONTROL_WORDS_MAX) {
			err = fail(-E2BIG, "too many words");
		} else {
			memcpy(request + used, argv[i], length);
			used += length;
		}
	}
	if (!err && !control_send(fd, CONTROL_REQUEST, request, used))
		err = 0; /* it may have said why before it hung up */
	free(request);
	return err;
}

/* What the server says, until the exit status; -1: it has ended before. */
static int relay(int fd, int progress)
{
	static u8 payload[CONTROL_PAYLOAD_MAX];
	struct control_head head;

	while (control_receive(fd, &head, sizeof(head))) {
		u32 length = le32_get(head.length);
		FILE *to = head.kind == CONTROL_ERR ? stderr : stdout;

		if (length > sizeof(payload) || !control_receive(fd, payload, length))
			break;
		if (head.kind == CONTROL_EXIT && length == 1)
			return payload[0];
		if (head.kind == CONTROL_PROGRESS) {
			if (progress >= 0 && write(progress, payload, length) < 0)
				progress = -1; /* nobody looks any more */
			continue;
		}
		if (fwrite(payload, 1, length, to) != length || fflush(to))
			return STATUS_FAILED;
	}
	return -1;
}

int control_ask(const char *directory, int argc, char **argv, int progress)
{
	struct control_address address;
	int fd = -1, status;
	int err = find_server(directory, &address);

	if (!err)
		err = connect_to(directory, &address, &fd);
	if (!err)
		err = send_request(fd, argc, argv);
	status = err ? STATUS_FAILED : relay(fd, progress);
	if (status < 0)
		err = fail(-EPIPE, "%s: its server has ended before the command", directory);
	if (fd >= 0)
		close(fd);
	return err ? cli_failed() : status;
}
