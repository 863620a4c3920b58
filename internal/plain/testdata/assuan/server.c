/* A server over the sockets of libassuan: says OK to each client, and sends back what it reads.
   server FILE [cygwin] */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <winsock2.h>
#include <gpg-error.h>
#include <assuan.h>

/* What assuan_sock_get_nonce reads of a file of Cygwin's form is 49 bytes, and the last number ends later. (2.5.5) */
static void read_secret (const char *path, char *secret)
{
	unsigned number[4];
	int port;
	FILE *f = fopen (path, "rb");

	if (f && fscanf (f, "!<socket >%d s %x-%x-%x-%x", &port, number, number+1, number+2, number+3) == 5)
		memcpy (secret, number, sizeof number);
	if (f)
		fclose (f);
}

int main(int argc, char **argv)
{
	struct sockaddr_un addr;
	assuan_sock_nonce_t nonce;
	assuan_fd_t l;

	gpgrt_init ();
	assuan_sock_init ();
	l = assuan_sock_new (AF_UNIX, SOCK_STREAM, 0);
	/* The table of sockets with the flag has room where there is ASSUAN_INVALID_FD, but begins with zeros. (2.5.5) */
	for (int i = 0; i < 16; i++)
		assuan_sock_set_flag (0, "cygwin", 0);
	if (argc > 2 && assuan_sock_set_flag (l, "cygwin", 1)) {
		printf ("no cygwin: %s\n", strerror (errno));
		return 3;
	}
	assuan_sock_set_sockaddr_un (argv[1], (struct sockaddr *)&addr, NULL);
	if (assuan_sock_bind (l, (struct sockaddr *)&addr, sizeof addr)
	    || assuan_sock_get_nonce ((struct sockaddr *)&addr, sizeof addr, &nonce)
	    || listen ((SOCKET)l, 5)) {
		fprintf (stderr, "cannot listen\n");
		return 1;
	}
	if (argc > 2)
		read_secret (argv[1], nonce.nonce);
	printf ("ready\n");
	fflush (stdout);
	for (;;) {
		char b[1000];
		int n;
		assuan_fd_t c = (assuan_fd_t)accept ((SOCKET)l, NULL, NULL);
		if (argc > 2)
			assuan_sock_set_flag (c, "cygwin", 1);
		if (assuan_sock_check_nonce (c, &nonce)) {
			printf ("refused\n");
			fflush (stdout);
			assuan_sock_close (c);
			continue;
		}
		send ((SOCKET)c, "OK\n", 3, 0);
		while ((n = recv ((SOCKET)c, b, sizeof b, 0)) > 0)
			send ((SOCKET)c, b, n, 0);
		assuan_sock_close (c);
	}
}
