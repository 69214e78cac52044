/* What all workloads of the load generator share: the clock, the latencies, the sockets, the report. */
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

#define MOST (64 << 10)   /* bytes of the longest message */
#define PATIENCE 5        /* seconds without an answer that end a run */
#define WARM 100000000ULL /* nanoseconds before the measured part */
#define PER_SOURCE 1000   /* connections from one of the loopback's addresses */

static uint16_t port;
static int width;         /* connections, or datagrams in flight */
static size_t size;       /* bytes of a message */
static long limit;        /* messages of a run */
static uint64_t until;    /* when the last message is sent, in nanoseconds */
static struct caller {
    int fd;
    uint32_t turn;          /* a datagram's number; or whether the only message is sent */
    uint64_t began;
    size_t written, offset; /* bytes sent, bytes received */
} *callers;
static int poller;
static char sent[2 * MOST]; /* the message, over and over */
static char got[MOST];

static struct { long messages, bytes, lost; } done;

#define die(...) (fprintf(stderr, __VA_ARGS__), fputc('\n', stderr), exit(1))
#define check(result) ((result) < 0 ? die("%s: %s", #result, strerror(errno)) : (void)0)

static uint64_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000000000ULL + time.tv_nsec;
}

/* Latencies, counted in bins that are 1/64 of their octave wide: within 1.6 %, whatever their number. */
static long bins[64 * 64];

static void record(uint64_t nanoseconds) {
    int octave = nanoseconds < 128 ? 0 : 57 - __builtin_clzll(nanoseconds);
    bins[octave * 64 + (int)(nanoseconds >> octave)]++;
}

static double percentile(double share) {
    long total = 0, seen = 0;
    for (int bin = 0; bin < 64 * 64; bin++) total += bins[bin];
    for (int bin = 0; bin < 64 * 64; bin++)
        if (total && (seen += bins[bin]) >= share * total) {
            int octave = bin < 128 ? 0 : bin / 64 - 1;
            return ((double)(bin - octave * 64) + 0.5) * (double)(1ULL << octave) / 1000;
        }
    return 0;
}

/* One message is done: is another one wanted? */
static int answered(uint64_t began, size_t bytes) {
    uint64_t time = now();
    record(time - began);
    done.messages++;
    done.bytes += bytes;
    return done.messages < limit && time < until;
}

static void forget(void) {
    memset(&done, 0, sizeof done);
    memset(bins, 0, sizeof bins);
}

static struct sockaddr_in loopback(int host, int number) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(number)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK + host);
    return address;
}

/* A socket for the server, bound to one of the loopback's addresses. */
static int caller(int type, int serial) {
    struct sockaddr_in source = loopback(1 + serial / PER_SOURCE % 200, 0);
    struct timeval patience = {.tv_sec = PATIENCE};
    int one = 1, fd = socket(AF_INET, type, 0);
    check(fd);
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    check(bind(fd, (struct sockaddr *)&source, sizeof source));
    return fd;
}

static int reach(int fd) {
    struct sockaddr_in server = loopback(0, port);
    return connect(fd, (struct sockaddr *)&server, sizeof server);
}

/* A connection that the server has accepted and answered a byte on, or -1. */
static int call(int serial) {
    int fd = caller(SOCK_STREAM, serial);
    if (reach(fd) == 0 && send(fd, sent, 1, MSG_NOSIGNAL) == 1 && recv(fd, got, 1, 0) == 1) return fd;
    close(fd);
    return -1;
}

static void watch(int operation, int fd, uint32_t events, int serial) {
    struct epoll_event event = {.events = events, .data.u32 = (uint32_t)serial};
    check(epoll_ctl(poller, operation, fd, &event));
}

static int ready(struct epoll_event *events, int most) {
    int count = epoll_wait(poller, events, most, PATIENCE * 1000);
    check(count);
    if (!count) die("no answer within %d s", PATIENCE);
    return count;
}
