/*
 * The load generator: load WORKLOAD PORT SECONDS LIMIT WIDTH SIZE
 *
 * One thread, a closed loop: a next message is sent when one has been answered in full. Only 127.0.0.1 is called. It says
 * "begin" when its connections are open and warm, waits for a line, runs for so many seconds or messages, prints one JSON
 * object, and keeps its connections until its input ends. Answers are compared with what was sent.
 */
#include "load.h"
#include "connections.h"
#include "datagrams.h"

static void nothing(void) {}

static const struct workload { const char *name; void (*open)(void), (*run)(void); } WORKLOADS[] = {
    {"tcp", tcpOpen, tcpRun},     {"stream", streamOpen, streamRun}, {"udp", udpOpen, udpRun},
    {"churn", nothing, churnRun}, {"idle", nothing, idleRun},
};

int main(int count, char **words) {
    const struct workload *workload = WORKLOADS, *end = workload + sizeof WORKLOADS / sizeof *WORKLOADS;
    if (count != 7) die("load WORKLOAD PORT SECONDS LIMIT WIDTH SIZE");
    while (workload < end && strcmp(workload->name, words[1])) workload++;
    port = (uint16_t)atoi(words[2]);
    double seconds = atof(words[3]);
    limit = atol(words[4]);
    width = atoi(words[5]);
    size = (size_t)atol(words[6]);
    int udp = workload < end && workload->open == udpOpen;
    if (workload == end || !port || seconds <= 0 || seconds > 600 || limit < 1 || width < 1 || width > 100000 || size < 1 ||
        size > MOST || (udp && (width > FLIGHT || size < 8 || size > DATAGRAM)))
        die("load: out of bounds");
    for (size_t index = 0; index < sizeof sent; index++) sent[index] = (char)(index % size * 31 + index % size / 251);
    callers = calloc(width, sizeof *callers);
    check(poller = epoll_create1(0));
    struct rlimit files = {0};
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);

    alarm(60);
    workload->open();
    if (workload->run != idleRun) {
        until = now() + WARM;
        workload->run();
    }
    forget();
    puts("begin");
    fflush(stdout);
    if (getchar() != '\n') return 1;
    alarm((unsigned)seconds + 60);
    uint64_t began = now();
    until = began + (uint64_t)(seconds * 1e9);
    workload->run();
    double took = (double)(now() - began) / 1e9;
    printf("{\"workload\": \"%s\", \"messages\": %ld, \"bytes\": %ld, \"lost\": %ld, \"seconds\": %.6f, ", words[1],
           done.messages, done.bytes, done.lost, took);
    if (workload->run == streamRun) puts("\"p50\": null, \"p99\": null}");
    else printf("\"p50\": %.1f, \"p99\": %.1f}\n", percentile(0.50), percentile(0.99));
    fflush(stdout);
    while (getchar() != EOF) continue;
    return 0;
}
