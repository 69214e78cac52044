/* Shared by all workloads of the load generator: the clock, the latencies and the sockets. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#ifndef IP_BIND_ADDRESS_NO_PORT
#define IP_BIND_ADDRESS_NO_PORT 24
#endif

#define MAX_MESSAGE (64 << 10)   /* bytes */
#define TIMEOUT 5                /* seconds without a reply after which a run fails */
#define WARM_UP 100000000ULL     /* nanoseconds of load before the measurement */
#define CLIENTS_PER_ADDRESS 1000 /* connections from one address of 127.0.0.0/8 */

static uint16_t port;
static int concurrency;   /* connections, or datagrams in flight */
static size_t size;       /* bytes of a message */
static long maxMessages;  /* messages of a run */
static uint64_t deadline; /* when to stop sending, in nanoseconds */
static struct client {
    int fd;
    uint32_t serial;        /* number of the last datagram in this slot */
    int requestSent;        /* churn: whether the request is sent */
    uint64_t startedAt;
    size_t written, offset; /* bytes sent and received */
} *clients;
static int epollFd;
static char message[2 * MAX_MESSAGE]; /* the message, repeated */
static char received[MAX_MESSAGE];

static struct { long messages, bytes, lost; } results;

#define die(...) (fprintf(stderr, __VA_ARGS__), fputc('\n', stderr), exit(1))
#define check(result) ((result) < 0 ? die("%s: %s", #result, strerror(errno)) : (void)0)

static uint64_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000000000ULL + time.tv_nsec;
}

/* A histogram of latencies with 64 bins per power of two: the error is at most 1.6 %. */
static long latencyBins[64 * 64];

static void recordLatency(uint64_t nanoseconds) {
    int octave = nanoseconds < 128 ? 0 : 57 - __builtin_clzll(nanoseconds);
    latencyBins[octave * 64 + (int)(nanoseconds >> octave)]++;
}

static double percentile(double share) {
    long total = 0, seen = 0;
    for (int bin = 0; bin < 64 * 64; bin++) total += latencyBins[bin];
    for (int bin = 0; bin < 64 * 64; bin++)
        if (total && (seen += latencyBins[bin]) >= share * total) {
            int octave = bin < 128 ? 0 : bin / 64 - 1;
            return ((double)(bin - octave * 64) + 0.5) * (double)(1ULL << octave) / 1000;
        }
    return 0;
}

/* Counts a completed message. Returns whether to send another one. */
static int complete(uint64_t startedAt, size_t bytes) {
    uint64_t time = now();
    recordLatency(time - startedAt);
    results.messages++;
    results.bytes += bytes;
    return results.messages < maxMessages && time < deadline;
}

static void resetResults(void) {
    memset(&results, 0, sizeof results);
    memset(latencyBins, 0, sizeof latencyBins);
}

static struct sockaddr_in loopback(int host, int number) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(number)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK + host);
    return address;
}

/* Opens a socket, bound to an address of 127.0.0.0/8: one address has too few ports for all connections. */
static int openSocket(int type, int serial) {
    struct sockaddr_in source = loopback(1 + serial / CLIENTS_PER_ADDRESS % 200, 0);
    struct timeval timeout = {.tv_sec = TIMEOUT};
    int one = 1, fd = socket(AF_INET, type, 0);
    check(fd);
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout);
    check(bind(fd, (struct sockaddr *)&source, sizeof source));
    return fd;
}

static int connectToServer(int fd) {
    struct sockaddr_in server = loopback(0, port);
    return connect(fd, (struct sockaddr *)&server, sizeof server);
}

/* Connects, and exchanges one byte, so that the server has accepted the connection. Returns -1 on failure. */
static int openConnection(int serial) {
    int fd = openSocket(SOCK_STREAM, serial);
    if (connectToServer(fd) == 0 && send(fd, message, 1, MSG_NOSIGNAL) == 1 && recv(fd, received, 1, 0) == 1) return fd;
    close(fd);
    return -1;
}

static void setEvents(int operation, int fd, uint32_t events, int serial) {
    struct epoll_event event = {.events = events, .data.u32 = (uint32_t)serial};
    check(epoll_ctl(epollFd, operation, fd, &event));
}

static int waitForEvents(struct epoll_event *events, int maxEvents) {
    int count = epoll_wait(epollFd, events, maxEvents, TIMEOUT * 1000);
    check(count);
    if (!count) die("no reply within %d s", TIMEOUT);
    return count;
}
