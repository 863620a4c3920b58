/* peer SOCKET FILE: sends the open file to the process at the socket, and prints the file that it gets for it. */
#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* Room for one descriptor, aligned as a control message has to be. */
union control {
	struct cmsghdr align;
	char bytes[CMSG_SPACE(sizeof(int))];
};

static void send_file(int s, const char *text, int fd)
{
	struct iovec data = {.iov_base = (void *)text, .iov_len = strlen(text)};
	union control control = {0};
	struct msghdr msg = {
		.msg_iov = &data, .msg_iovlen = 1,
		.msg_control = control.bytes, .msg_controllen = sizeof control.bytes,
	};
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof fd);
	memcpy(CMSG_DATA(c), &fd, sizeof fd);
	if (sendmsg(s, &msg, 0) < 0)
		err(1, "sendmsg");
}

static int receive_file(int s, char *text, size_t size)
{
	struct iovec data = {.iov_base = text, .iov_len = size - 1};
	union control control = {0};
	struct msghdr msg = {
		.msg_iov = &data, .msg_iovlen = 1,
		.msg_control = control.bytes, .msg_controllen = sizeof control.bytes,
	};
	ssize_t n = recvmsg(s, &msg, 0);
	if (n < 0)
		err(1, "recvmsg");
	text[n] = '\0';
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
	if (c == NULL || c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS || c->cmsg_len != CMSG_LEN(sizeof(int)))
		errx(1, "no descriptor came");
	int fd;
	memcpy(&fd, CMSG_DATA(c), sizeof fd);
	return fd;
}

int main(int argc, char **argv)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	char text[100];
	int s, fd;
	ssize_t n;

	if (argc != 3 || strlen(argv[1]) >= sizeof addr.sun_path)
		errx(2, "usage: peer SOCKET FILE");
	strcpy(addr.sun_path, argv[1]);
	if ((s = socket(AF_UNIX, SOCK_STREAM, 0)) < 0 || connect(s, (struct sockaddr *)&addr, sizeof addr) < 0)
		err(1, "%s", argv[1]);
	if ((fd = open(argv[2], O_RDONLY)) < 0)
		err(1, "%s", argv[2]);
	send_file(s, "from C", fd);
	close(fd); /* the message has a copy */

	fd = receive_file(s, text, sizeof text);
	printf("%s: ", text);
	while ((n = read(fd, text, sizeof text)) > 0)
		fwrite(text, 1, (size_t)n, stdout);
	return n < 0;
}
