/* A clock of its own for a cron daemon: to sleep moves the clock on, and a job is written down with the
 * time at which it starts, in place of being run. Loaded into the daemon with LD_PRELOAD.
 *
 * VIRTUAL_FROM and VIRTUAL_UNTIL are seconds since 1970, VIRTUAL_LOG is a file. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static time_t now, until;
static pid_t daemon_pid;

__attribute__((constructor)) static void begin(void) {
    now = atoll(getenv("VIRTUAL_FROM"));
    until = atoll(getenv("VIRTUAL_UNTIL"));
    daemon_pid = getpid();
}

time_t time(time_t *out) {
    if (out)
        *out = now;
    return now;
}

int gettimeofday(struct timeval *restrict out, void *restrict zone) {
    (void)zone;
    out->tv_sec = now;
    out->tv_usec = 0;
    return 0;
}

/* Every job of the past minute is written down before the next one begins. */
unsigned sleep(unsigned seconds) {
    if (getpid() != daemon_pid)
        return 0;
    while (wait(NULL) > 0)
        ;
    /* A pause of ten seconds after the jobs of each minute that a change of time left out. With hundreds of
     * jobs these pauses would leave out minutes of their own. */
    if (seconds == 10)
        return 0;
    now += seconds;
    if (now >= until)
        _exit(0);
    return 0;
}

int execle(const char *path, const char *word, ...) {
    va_list words;
    char line[4096];
    (void)path;
    (void)word;
    va_start(words, word);
    va_arg(words, char *);
    int length = snprintf(line, sizeof line, "%lld %s\n", (long long)now, va_arg(words, char *));
    va_end(words);
    int log = open(getenv("VIRTUAL_LOG"), O_WRONLY | O_CREAT | O_APPEND, 0666);
    if (write(log, line, length) != length)
        _exit(1);
    _exit(0);
}

/* PAM would ask the host about every start. */
int pam_start(const char *a, const char *b, const void *c, void **handle) {
    (void)a, (void)b, (void)c;
    *handle = &now;
    return 0;
}
int pam_set_item(void *a, int b, const void *c) { return (void)a, (void)b, (void)c, 0; }
int pam_acct_mgmt(void *a, int b) { return (void)a, (void)b, 0; }
int pam_setcred(void *a, int b) { return (void)a, (void)b, 0; }
int pam_open_session(void *a, int b) { return (void)a, (void)b, 0; }
int pam_close_session(void *a, int b) { return (void)a, (void)b, 0; }
int pam_end(void *a, int b) { return (void)a, (void)b, 0; }
char **pam_getenvlist(void *a) { return (void)a, calloc(1, sizeof(char *)); }
