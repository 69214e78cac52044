/*
 * The load generator: load WORKLOAD PORT SECONDS MAX_MESSAGES CONCURRENCY SIZE SOURCES
 *
 * SOURCES is the number of sockets or addresses that datagrams are sent from; the workloads over TCP ignore it.
 *
 * One thread and a closed loop: it sends the next message when it has received the whole reply, and compares each reply
 * with the message. It connects to 127.0.0.1 only. After the warm-up it prints "begin" and waits for a line of input. It
 * runs for SECONDS or MAX_MESSAGES, whichever ends first, prints one JSON object, and keeps its connections open until
 * the end of its input.
 */
#include "load.h"
#include "connections.h"
#include "datagrams.h"

static void noConnections(void) {}

static const struct workload { const char *name; void (*open)(void), (*run)(void); } WORKLOADS[] = {
    {"tcp", tcpOpen, tcpRun}, {"stream", streamOpen, streamRun}, {"churn", noConnections, churnRun},
    {"udp", udpOpen, udpRun}, {"sources", udpOpen, udpRun},      {"idle", noConnections, idleRun},
    {"greet", noConnections, greetRun},
};

int main(int count, char **arguments) {
    const struct workload *workload = WORKLOADS, *end = workload + sizeof WORKLOADS / sizeof *WORKLOADS;
    if (count != 8) die("load WORKLOAD PORT SECONDS MAX_MESSAGES CONCURRENCY SIZE SOURCES");
    while (workload < end && strcmp(workload->name, arguments[1])) workload++;
    port = (uint16_t)atoi(arguments[2]);
    double seconds = atof(arguments[3]);
    maxMessages = atol(arguments[4]);
    concurrency = atoi(arguments[5]);
    size = (size_t)atol(arguments[6]);
    sources = atoi(arguments[7]);
    isFromAddresses = !strcmp(arguments[1], "sources");
    int udp = workload < end && workload->open == udpOpen;
    int maxSources = !udp || isFromAddresses ? 1 << 20 : concurrency;
    if (workload == end || !port || seconds <= 0 || seconds > 600 || maxMessages < 1 || concurrency < 1 ||
        concurrency > 100000 || size < 1 || size > MAX_MESSAGE || sources < 1 || sources > maxSources ||
        (udp && (concurrency > MAX_IN_FLIGHT || size < 8 || size > MAX_DATAGRAM)))
        die("load: an argument is out of range");
    for (size_t index = 0; index < sizeof message; index++)
        message[index] = (char)(index % size * 31 + index % size / 251);
    clients = calloc(concurrency, sizeof *clients);
    check(epollFd = epoll_create1(0));
    struct rlimit files = {0};
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);

    alarm(60);
    workload->open();
    if (workload->run != idleRun) {
        deadline = now() + WARM_UP;
        workload->run();
    }
    resetResults();
    puts("begin");
    fflush(stdout);
    if (getchar() != '\n') return 1;
    alarm((unsigned)seconds + 60);
    uint64_t startedAt = now();
    deadline = startedAt + (uint64_t)(seconds * 1e9);
    workload->run();
    double elapsed = (double)(now() - startedAt) / 1e9;
    printf("{\"workload\": \"%s\", \"messages\": %ld, \"bytes\": %ld, \"lost\": %ld, \"seconds\": %.6f, ", arguments[1],
           results.messages, results.bytes, results.lost, elapsed);
    if (workload->run == streamRun) puts("\"p50\": null, \"p99\": null}");
    else printf("\"p50\": %.1f, \"p99\": %.1f}\n", percentile(0.50), percentile(0.99));
    fflush(stdout);
    while (getchar() != EOF) continue;
    return 0;
}
