// crowd NAME THREADS ROUNDS connects ROUNDS times from each of THREADS threads to the pipe NAME, as a program does that knows
// nothing of its server, and to which a busy pipe is an error. It is greeted with a line, and asks a question, which is
// answered in upper case. It prints what came of it.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <windows.h>

static const char *name;
static int rounds;
static volatile LONG served, busy, failed;

// line reads up to the end of a line.
static int line(HANDLE h, const char *want) {
	char got[64];
	DWORD n, have = 0;
	while (have < sizeof got - 1 && (have == 0 || got[have - 1] != '\n')) {
		if (!ReadFile(h, got + have, sizeof got - 1 - have, &n, NULL) || n == 0)
			return 0;
		have += n;
	}
	got[have] = 0;
	return strcmp(got, want) == 0;
}

static int talk(HANDLE h) {
	static const char question[] = "question\n";
	DWORD n;
	return line(h, "hello, plain\n") && WriteFile(h, question, sizeof question - 1, &n, NULL) && line(h, "QUESTION\n");
}

static DWORD WINAPI client(void *start) {
	WaitForSingleObject(start, INFINITE);
	for (int i = 0; i < rounds; i++) {
		HANDLE h = CreateFileA(name, GENERIC_READ | GENERIC_WRITE, 0, NULL, OPEN_EXISTING, 0, NULL);
		if (h == INVALID_HANDLE_VALUE) {
			DWORD why = GetLastError();
			InterlockedIncrement(why == ERROR_PIPE_BUSY ? &busy : &failed);
			continue;
		}
		InterlockedIncrement(talk(h) ? &served : &failed);
		CloseHandle(h);
	}
	return 0;
}

int main(int argc, char **argv) {
	if (argc != 4)
		return 2;
	name = argv[1];
	int threads = atoi(argv[2]);
	rounds = atoi(argv[3]);
	HANDLE start = CreateEventA(NULL, TRUE, FALSE, NULL), *all = calloc(threads, sizeof *all);
	for (int i = 0; i < threads; i++)
		all[i] = CreateThread(NULL, 0, client, start, 0, NULL);
	SetEvent(start);
	for (int i = 0; i < threads; i++)
		WaitForSingleObject(all[i], INFINITE);
	printf("served %ld, busy %ld, failed %ld\n", served, busy, failed);
	return busy || failed;
}
