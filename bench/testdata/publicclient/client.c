/* A plain client of a named pipe, as programs in C are written: CreateFile, once, and no second try.
   client PIPE WORD: reads a line, writes WORD in a line, and prints both lines that it reads. */
#include <stdio.h>
#include <string.h>
#include <windows.h>

static int fail (const char *what)
{
	printf ("%s: error %lu\n", what, GetLastError ());
	return 1;
}

/* Reads a line, byte by byte, and prints it. */
static int line (HANDLE pipe)
{
	char c = 0;
	DWORD n;

	while (c != '\n') {
		if (!ReadFile (pipe, &c, 1, &n, NULL) || n != 1)
			return fail ("ReadFile");
		putchar (c);
	}
	return 0;
}

int main (int argc, char **argv)
{
	char word[100];
	DWORD n;
	HANDLE pipe = CreateFileA (argv[1], GENERIC_READ | GENERIC_WRITE, 0, NULL, OPEN_EXISTING, 0, NULL);

	if (argc != 3 || pipe == INVALID_HANDLE_VALUE)
		return fail ("CreateFile");
	if (line (pipe))
		return 1;
	snprintf (word, sizeof word, "%s\n", argv[2]);
	if (!WriteFile (pipe, word, strlen (word), &n, NULL) || n != strlen (word))
		return fail ("WriteFile");
	return line (pipe);
}
