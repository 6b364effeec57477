/* A plain C program with POSIX message queues, as textbooks have them; no hawser in it.
 *
 * usage: mq_peer create NAME MAXMSG MSGSIZE
 *        mq_peer send NAME            each line of stdin, "PRIORITY TEXT", is a message
 *        mq_peer receive NAME COUNT   prints each message in the same way
 *        mq_peer notify NAME          prints "registered", then "told by PID" when SIGUSR1 comes
 *        mq_peer unlink NAME
 */
#include <fcntl.h>
#include <mqueue.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void check(int outcome, const char *what)
{
    if (outcome < 0) {
        perror(what);
        exit(1);
    }
}

static void make(const char *name, long maxmsg, long msgsize)
{
    struct mq_attr wanted = {.mq_maxmsg = maxmsg, .mq_msgsize = msgsize};
    check(mq_open(name, O_CREAT | O_EXCL | O_RDWR, 0600, &wanted), "mq_open");
}

static void send_lines(const char *name)
{
    mqd_t queue = mq_open(name, O_WRONLY);
    char line[10000];

    check(queue, "mq_open");
    while (fgets(line, sizeof line, stdin)) {
        char *text;
        unsigned priority = (unsigned)strtoul(line, &text, 10);

        text++; /* the space */
        text[strcspn(text, "\n")] = 0;
        check(mq_send(queue, text, strlen(text), priority), "mq_send");
    }
}

static void receive_lines(const char *name, long count)
{
    mqd_t queue = mq_open(name, O_RDONLY);
    struct mq_attr has;
    char *message;

    check(queue, "mq_open");
    check(mq_getattr(queue, &has), "mq_getattr");
    message = malloc((size_t)has.mq_msgsize);
    for (; count > 0; count--) {
        unsigned priority;
        ssize_t size = mq_receive(queue, message, (size_t)has.mq_msgsize, &priority);

        check((int)size, "mq_receive");
        printf("%u %.*s\n", priority, (int)size, message);
    }
    free(message);
}

static void wait_for_notification(const char *name)
{
    mqd_t queue = mq_open(name, O_RDONLY);
    struct sigevent how = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
    siginfo_t told;
    sigset_t set;

    check(queue, "mq_open");
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigprocmask(SIG_BLOCK, &set, NULL);
    check(mq_notify(queue, &how), "mq_notify");
    puts("registered");
    fflush(stdout);
    check(sigwaitinfo(&set, &told), "sigwaitinfo");
    printf("told by %d\n", (int)told.si_pid);
}

int main(int argc, char **argv)
{
    if (argc == 5 && strcmp(argv[1], "create") == 0)
        make(argv[2], atol(argv[3]), atol(argv[4]));
    else if (argc == 3 && strcmp(argv[1], "send") == 0)
        send_lines(argv[2]);
    else if (argc == 4 && strcmp(argv[1], "receive") == 0)
        receive_lines(argv[2], atol(argv[3]));
    else if (argc == 3 && strcmp(argv[1], "notify") == 0)
        wait_for_notification(argv[2]);
    else if (argc == 3 && strcmp(argv[1], "unlink") == 0)
        check(mq_unlink(argv[2]), "mq_unlink");
    else
        return 2;
    return 0;
}
