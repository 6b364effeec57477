/* A plain C program with System V message queues, as textbooks have them; no hawser in it.
 *
 * usage: sysv_peer create KEY
 *        sysv_peer send KEY                each line of stdin, "TYPE TEXT", is a message
 *        sysv_peer receive KEY COUNT TYPE  prints each message in the same way; TYPE is msgtyp
 *        sysv_peer remove KEY
 *        sysv_peer key PATH ID             prints the key that ftok makes of them
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/msg.h>

struct message {
    long type;
    char text[8192];
};

static void check(long outcome, const char *what)
{
    if (outcome < 0) {
        perror(what);
        exit(1);
    }
}

static int queue_of(const char *key, int flags)
{
    int id = msgget((key_t)strtoul(key, NULL, 0), flags);

    check(id, "msgget");
    return id;
}

static void send_lines(const char *key)
{
    int id = queue_of(key, 0);
    struct message one;
    char line[10000];

    while (fgets(line, sizeof line, stdin)) {
        char *text;

        one.type = strtol(line, &text, 10);
        text++; /* the space */
        text[strcspn(text, "\n")] = 0;
        memcpy(one.text, text, strlen(text));
        check(msgsnd(id, &one, strlen(text), 0), "msgsnd");
    }
}

static void receive_lines(const char *key, long count, long type)
{
    int id = queue_of(key, 0);
    struct message one;

    for (; count > 0; count--) {
        ssize_t size = msgrcv(id, &one, sizeof one.text, type, 0);

        check(size, "msgrcv");
        printf("%ld %.*s\n", one.type, (int)size, one.text);
        fflush(stdout);
    }
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "create") == 0)
        queue_of(argv[2], IPC_CREAT | IPC_EXCL | 0600);
    else if (argc == 3 && strcmp(argv[1], "send") == 0)
        send_lines(argv[2]);
    else if (argc == 5 && strcmp(argv[1], "receive") == 0)
        receive_lines(argv[2], atol(argv[3]), atol(argv[4]));
    else if (argc == 3 && strcmp(argv[1], "remove") == 0)
        check(msgctl(queue_of(argv[2], 0), IPC_RMID, NULL), "msgctl");
    else if (argc == 4 && strcmp(argv[1], "key") == 0)
        printf("%u\n", (unsigned)ftok(argv[2], atoi(argv[3])));
    else
        return 2;
    return 0;
}
